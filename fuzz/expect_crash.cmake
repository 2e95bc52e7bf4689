# Runs COMMAND ('|' between arguments) and fails unless it dies of the bug planted in canary_fuzz.cpp.
# CTest's WILL_FAIL cannot say this: it takes a death by signal as a failure, and any failure as a success.
string(REPLACE "|" ";" command "${COMMAND}")
execute_process(COMMAND ${command} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(result EQUAL 0)
  message(FATAL_ERROR "the planted bug was not found:\n${output}")
endif()
if(NOT output MATCHES "does not hold: planted bug")
  message(FATAL_ERROR "died of something else (${result}):\n${output}")
endif()
