# Run by CTest with cmake -P; see CMakeLists.txt.
set(prefix ${WORK}/prefix)
set(consumer_build ${WORK}/build)
file(REMOVE_RECURSE ${prefix} ${consumer_build})
set(sanitizer "")
if(SANITIZE)
  set(sanitizer "-fsanitize=address,undefined")
endif()

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${ARGN} ended with ${status}:\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix})
run(${CMAKE_COMMAND} -S ${CONSUMER} -B ${consumer_build} -G ${GENERATOR}
  -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER} -DCMAKE_PREFIX_PATH=${prefix} -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF
  -DCMAKE_CXX_FLAGS=${sanitizer} -DEXPECTED_VERSION=${VERSION})
run(${CMAKE_COMMAND} --build ${consumer_build})
run(${consumer_build}/consumer)

# The output is known in advance: nothing of it was computed by the library under test.
if(NOT output STREQUAL "0x08004000..0x08004800, 2 KiB\nthe device did not answer in time\n")
  message(FATAL_ERROR "unexpected output:\n${output}")
endif()
