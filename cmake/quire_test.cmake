# quire_test(NAME cache SOURCES cache/block_pool_test.cc … DEPS cache)
# One GoogleTest program a folder, registered as one ctest entry `unit.<name>`.
# What nearly every test includes is compiled once, for the inner loop: half of a test's own compile
# time. Not with optimization, under which g++ 12 warns of copies in the library that are not there.
find_package(GTest REQUIRED)
function(quire_test_headers target)
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug" OR QUIRE_SANITIZE)
    return()
  endif()
  if(NOT TARGET quire_test_headers)
    file(WRITE "${PROJECT_BINARY_DIR}/test_headers.cc" "")
    # A program, because the headers must be compiled as those that use them are.
    add_executable(quire_test_headers "${PROJECT_BINARY_DIR}/test_headers.cc")
    target_link_libraries(quire_test_headers PRIVATE quire_options quire_warnings GTest::gtest
                                                     GTest::gtest_main)
    target_precompile_headers(quire_test_headers PRIVATE <gtest/gtest.h> <algorithm> <cstdint>
                              <memory> <string> <string_view> <utility> <vector>)
  endif()
  target_precompile_headers(${target} REUSE_FROM quire_test_headers)
endfunction()

function(quire_test)
  cmake_parse_arguments(ARG "" "NAME;SHARDS" "SOURCES;DEPS;LIBS" ${ARGN})
  add_executable(${ARG_NAME}_test ${ARG_SOURCES})
  list(TRANSFORM ARG_DEPS PREPEND quire_)
  target_link_libraries(${ARG_NAME}_test PRIVATE quire_options quire_warnings ${ARG_DEPS} ${ARG_LIBS}
                                                 GTest::gtest GTest::gtest_main)
  target_compile_definitions(${ARG_NAME}_test
                             PRIVATE QUIRE_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data")
  target_include_directories(${ARG_NAME}_test PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  quire_test_headers(${ARG_NAME}_test)
  if(NOT ARG_SHARDS)
    add_test(NAME unit.${ARG_NAME} COMMAND ${ARG_NAME}_test)
    return()
  endif()
  # A long program runs as several, each with its share of the tests.
  math(EXPR last "${ARG_SHARDS} - 1")
  foreach(shard RANGE ${last})
    add_test(NAME unit.${ARG_NAME}.${shard} COMMAND ${ARG_NAME}_test)
    set_tests_properties(
      unit.${ARG_NAME}.${shard}
      PROPERTIES ENVIRONMENT "GTEST_TOTAL_SHARDS=${ARG_SHARDS};GTEST_SHARD_INDEX=${shard}" COST 100)
  endforeach()
endfunction()
