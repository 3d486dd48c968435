# src/layers.txt says which folder may use which. quire_read_layers() makes QUIRE_LAYERS, the folders
# from the lowest up, and for each QUIRE_LAYER_<folder>, what it may use.
function(quire_read_layers)
  set(file "${PROJECT_SOURCE_DIR}/src/layers.txt")
  set_property(DIRECTORY "${PROJECT_SOURCE_DIR}" APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
  file(STRINGS "${file}" lines REGEX "^[a-z]")
  foreach(line IN LISTS lines)
    string(REGEX MATCH "^([a-z_/]+):(.*)$" matched "${line}")
    set(folder "${CMAKE_MATCH_1}")
    string(STRIP "${CMAKE_MATCH_2}" allowed)
    string(REPLACE " " ";" allowed "${allowed}")
    list(APPEND folders "${folder}")
    set("QUIRE_LAYER_${folder}" "${allowed}" PARENT_SCOPE)
  endforeach()
  set(QUIRE_LAYERS "${folders}" PARENT_SCOPE)
endfunction()

# quire_layer_targets(OUT FOLDER…): the library targets of folders, without those this build leaves out.
function(quire_layer_targets out)
  set(targets)
  foreach(folder IN LISTS ARGN)
    string(REPLACE "/" "_" name "${folder}")
    if(TARGET "quire_${name}")
      list(APPEND targets "quire_${name}")
    endif()
  endforeach()
  set(${out} "${targets}" PARENT_SCOPE)
endfunction()

# quire_library(SOURCES block_pool.cc … [PRIVATE_DEPS nlohmann_json::nlohmann_json])
# The static library of the folder it is called in: `quire_cache` of src/cache, `quire_runner_onnx` of
# src/runner/onnx. It links what layers.txt lets the folder use.
function(quire_library)
  cmake_parse_arguments(ARG "" "" "SOURCES;PRIVATE_DEPS" ${ARGN})
  file(RELATIVE_PATH folder "${PROJECT_SOURCE_DIR}/src" "${CMAKE_CURRENT_SOURCE_DIR}")
  string(REPLACE "/" "_" name "${folder}")
  quire_layer_targets(deps ${QUIRE_LAYER_${folder}})
  add_library(quire_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(
    quire_${name}
    PUBLIC quire_options ${deps}
    PRIVATE quire_warnings ${ARG_PRIVATE_DEPS})
  set_target_properties(quire_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
endfunction()
