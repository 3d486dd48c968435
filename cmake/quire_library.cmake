# quire_library(NAME cache SOURCES block_pool.cc … DEPS base [PRIVATE_DEPS nlohmann_json::nlohmann_json])
# One static library a folder, `quire_<name>`. DEPS are folders of src/: the line is the statement of
# what the folder may use, and tools/check_layers.py holds the includes against src/layers.txt.
function(quire_library)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(quire_${ARG_NAME} STATIC ${ARG_SOURCES})
  list(TRANSFORM ARG_DEPS PREPEND quire_)
  target_link_libraries(
    quire_${ARG_NAME}
    PUBLIC quire_options ${ARG_DEPS}
    PRIVATE quire_warnings ${ARG_PRIVATE_DEPS})
  set_target_properties(quire_${ARG_NAME} PROPERTIES POSITION_INDEPENDENT_CODE ON)
endfunction()
