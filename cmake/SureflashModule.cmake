# One way to declare a module, so that a module's CMakeLists.txt says only what is special about it.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()
# Checks stay on in every build type: a flashing tool has no use for NDEBUG. -g1 is enough for backtraces.
# A toolchain file decides for itself.
if(NOT CMAKE_CROSSCOMPILING)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  foreach(language IN ITEMS C CXX)
    set(CMAKE_${language}_FLAGS_RELWITHDEBINFO "-O2 -g1")
    set(CMAKE_${language}_FLAGS_RELEASE "-O2")
  endforeach()
endif()

add_library(sureflash_options INTERFACE)
target_compile_features(sureflash_options INTERFACE cxx_std_23)
target_compile_options(sureflash_options INTERFACE
  $<BUILD_INTERFACE:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wconversion;-Wno-sign-conversion;-Werror>
  # Addresses and their differences have 64 bits everywhere; size_t has 32 in wasm. What becomes a size is
  # the length of bytes that are in memory, or was bounded before; 64-bit builds cannot see the difference.
  $<$<STREQUAL:${CMAKE_SYSTEM_PROCESSOR},wasm32>:$<BUILD_INTERFACE:-Wno-shorten-64-to-32>>
  # GCC 12 reports members that are plainly initialised inside coroutine frames and std::expected.
  $<$<CXX_COMPILER_ID:GNU>:$<BUILD_INTERFACE:-Wno-maybe-uninitialized>>)
if(SUREFLASH_SANITIZE OR SUREFLASH_FUZZ)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
if(SUREFLASH_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# sureflash_module(NAME [CORE] [INTERFACE] [DEPS target...] [TEST_DEPS target...])
#
# Makes library sureflash_NAME (alias sureflash::NAME) from src/*.cpp and include/, and, when tests
# are on, the test program NAME_test from test/*.cpp. CORE: belongs to the part that a browser needs;
# it is built without exceptions and is installed.
function(sureflash_module name)
  cmake_parse_arguments(arg "CORE;INTERFACE" "" "DEPS;TEST_DEPS" ${ARGN})
  set(target sureflash_${name})
  if(arg_INTERFACE)
    set(scope INTERFACE)
    add_library(${target} INTERFACE)
  else()
    set(scope PUBLIC)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS src/*.cpp)
    add_library(${target} STATIC ${sources})
    target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:sureflash_options>)
  endif()
  add_library(sureflash::${name} ALIAS ${target})
  target_compile_features(${target} ${scope} cxx_std_23)
  target_include_directories(${target} ${scope}
    $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(${target} ${scope} ${arg_DEPS})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  if(arg_CORE)
    if(NOT arg_INTERFACE)
      target_compile_options(${target} PRIVATE -fno-exceptions)
    endif()
    install(TARGETS ${target} EXPORT sureflash ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
    install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
    set_property(GLOBAL APPEND PROPERTY SUREFLASH_CORE_MODULES ${target})
  endif()

  file(GLOB tests CONFIGURE_DEPENDS test/*.cpp)
  if(SUREFLASH_TESTS AND tests)
    sureflash_test(${name}_test SOURCES ${tests} DEPS sureflash::${name} ${arg_TEST_DEPS})
  endif()
endfunction()

# sureflash_test(NAME SOURCES file... [DEPS target...] [LABELS label...] [TIMEOUT seconds])
function(sureflash_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_executable(${name} ${arg_SOURCES})
  # Compiling tests is most of the work of a build, and what they test is optimised anyway.
  target_compile_options(${name} PRIVATE -O0)
  target_link_libraries(${name} PRIVATE sureflash_options ${arg_DEPS} GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE
    SUREFLASH_SOURCE_DIR="${PROJECT_SOURCE_DIR}" SUREFLASH_BINARY_DIR="${PROJECT_BINARY_DIR}")
  gtest_discover_tests(${name} TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60
    PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}")
endfunction()
