# quire_test(NAME cache SOURCES cache/block_pool_test.cc … DEPS cache)
# One GoogleTest program a folder, registered as one ctest entry `unit.<name>`.
find_package(GTest REQUIRED)
function(quire_test)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;DEPS;LIBS" ${ARGN})
  add_executable(${ARG_NAME}_test ${ARG_SOURCES})
  list(TRANSFORM ARG_DEPS PREPEND quire_)
  target_link_libraries(${ARG_NAME}_test PRIVATE quire_options quire_warnings ${ARG_DEPS} ${ARG_LIBS}
                                                 GTest::gtest GTest::gtest_main)
  target_compile_definitions(${ARG_NAME}_test
                             PRIVATE QUIRE_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data")
  target_include_directories(${ARG_NAME}_test PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  add_test(NAME unit.${ARG_NAME} COMMAND ${ARG_NAME}_test)
endfunction()
