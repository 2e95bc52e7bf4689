# The installed package: find_package(sureflash) gives sureflash::core, which is every module declared
# as CORE, and each of these modules by itself (sureflash::base, sureflash::dfu, …).

get_property(core_modules GLOBAL PROPERTY SUREFLASH_CORE_MODULES)
add_library(sureflash_core INTERFACE)
add_library(sureflash::core ALIAS sureflash_core)
set_target_properties(sureflash_core PROPERTIES EXPORT_NAME core)
target_link_libraries(sureflash_core INTERFACE ${core_modules})
install(TARGETS sureflash_core EXPORT sureflash)

include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/sureflash)
# 0.x: any minor version may change the API.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/sureflashConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
# The targets depend on nothing outside the package, so the export file is the whole configuration.
install(EXPORT sureflash NAMESPACE sureflash:: DESTINATION ${package_dir} FILE sureflashConfig.cmake)
install(FILES ${PROJECT_BINARY_DIR}/sureflashConfigVersion.cmake DESTINATION ${package_dir})
