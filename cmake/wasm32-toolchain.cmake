# The core for browsers: clang 19 for wasm32, with Debian's wasi-libc and libc++. No file of the operating
# system and no function of the embedder is used in the end (tests/wasm checks that there is no import).
#
#   cmake -S . -B build-wasm -G Ninja --toolchain cmake/wasm32-toolchain.cmake -DSUREFLASH_CORE_ONLY=ON

# CMake 3.25 does not know WASI; Generic is a system without dynamic libraries.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR wasm32)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)

# Small: the module is part of each updater page. No -O at the link: with it clang 19 runs whatever wasm-opt
# is installed, so that the size would depend on the machine, and its --no-wasm-opt drops the link
# altogether (exit status 0, no file).
add_compile_options(-Oz)
foreach(language IN ITEMS C CXX)
  set(CMAKE_${language}_COMPILER_TARGET wasm32-wasi)
  set(CMAKE_${language}_FLAGS_INIT "-flto -fno-exceptions")
  foreach(type IN ITEMS RELEASE RELWITHDEBINFO MINSIZEREL DEBUG)
    set(CMAKE_${language}_FLAGS_${type} "" CACHE STRING "Optimisation is not a matter of the build type")
  endforeach()
endforeach()
set(CMAKE_C_COMPILER clang-19)
set(CMAKE_CXX_COMPILER clang++-19)
string(APPEND CMAKE_CXX_FLAGS_INIT " -fno-rtti")
# Archives of LTO objects need LLVM's own ar.
set(CMAKE_AR llvm-ar-19)
set(CMAKE_RANLIB llvm-ranlib-19)
# A module that is called again and again, not a program that ends.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-mexec-model=reactor -s")

# The headers and libraries of the host are not for this machine.
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE NEVER)
