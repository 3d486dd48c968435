# quire_test([NAME allocation] SOURCES block_pool_test.cc … [FUZZ_BODIES crowd] [LAYERS llm] [LIBS …])
# One GoogleTest program, registered as the ctest entry `unit.<name>`. In tests/unit/cache it is named
# `cache` and links the library of src/cache, unless NAME and LAYERS say otherwise. FUZZ_BODIES are
# fuzz/<body>_body.cc, whose corpora the program replays.
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
  cmake_parse_arguments(ARG "" "NAME;SHARDS" "SOURCES;FUZZ_BODIES;LAYERS;LIBS" ${ARGN})
  file(RELATIVE_PATH folder "${PROJECT_SOURCE_DIR}/tests/unit" "${CMAKE_CURRENT_SOURCE_DIR}")
  if(NOT ARG_LAYERS)
    set(ARG_LAYERS "${folder}")
  endif()
  if(NOT ARG_NAME)
    string(REPLACE "/" "_" ARG_NAME "${folder}")
  endif()
  quire_layer_targets(layers ${ARG_LAYERS})
  add_executable(${ARG_NAME}_test ${ARG_SOURCES})
  target_link_libraries(${ARG_NAME}_test PRIVATE quire_options quire_warnings ${layers} ${ARG_LIBS}
                                                 GTest::gtest GTest::gtest_main)
  target_compile_definitions(${ARG_NAME}_test
                             PRIVATE QUIRE_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data")
  target_include_directories(${ARG_NAME}_test PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  if(ARG_FUZZ_BODIES)
    list(TRANSFORM ARG_FUZZ_BODIES REPLACE "(.+)" "${PROJECT_SOURCE_DIR}/fuzz/\\1_body.cc")
    target_sources(${ARG_NAME}_test PRIVATE ${ARG_FUZZ_BODIES})
    target_include_directories(${ARG_NAME}_test PRIVATE "${PROJECT_SOURCE_DIR}")
    target_compile_definitions(${ARG_NAME}_test
                               PRIVATE QUIRE_FUZZ_CORPUS="${PROJECT_SOURCE_DIR}/fuzz/corpus")
  endif()
  if(QUIRE_STATIC)
    # GoogleTest can send its results to a host by name, which no test asks for.
    target_link_libraries(${ARG_NAME}_test PRIVATE -Wl,--no-fatal-warnings)
  endif()
  quire_test_headers(${ARG_NAME}_test)
  quire_add_shards(${ARG_NAME} ${ARG_SHARDS})
endfunction()

# A long program runs as several ctest entries, each with its share of the tests.
function(quire_add_shards name)
  if(NOT ARGN)
    add_test(NAME unit.${name} COMMAND ${name}_test)
    return()
  endif()
  math(EXPR last "${ARGN} - 1")
  foreach(shard RANGE ${last})
    add_test(NAME unit.${name}.${shard} COMMAND ${name}_test)
    set_tests_properties(
      unit.${name}.${shard}
      PROPERTIES ENVIRONMENT "GTEST_TOTAL_SHARDS=${ARGN};GTEST_SHARD_INDEX=${shard}" COST 100)
  endforeach()
endfunction()
