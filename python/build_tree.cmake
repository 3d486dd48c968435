# quire_for_python: the engine as a build of the repository has it, for this machine, with the libraries
# where that build found them.
get_filename_component(quire_root "${CMAKE_CURRENT_SOURCE_DIR}/.." ABSOLUTE)
set(QUIRE_BUILD_TREE "build/release" CACHE PATH "The build to link, from the repository's root")
get_filename_component(tree "${QUIRE_BUILD_TREE}" ABSOLUTE BASE_DIR "${quire_root}")
file(STRINGS "${quire_root}/CMakeLists.txt" version REGEX "^project\\(quire VERSION")
string(REGEX REPLACE ".*VERSION ([0-9.]+).*" "\\1" version "${version}")
add_library(quire_for_python STATIC IMPORTED)
set_target_properties(quire_for_python PROPERTIES IMPORTED_LOCATION "${tree}/libquire.a")
target_link_libraries(quire_for_python INTERFACE xxhash crypto utf8proc pcre2-8 ${CMAKE_DL_LIBS}
                                                 Threads::Threads)
target_include_directories(quire_for_python INTERFACE "${quire_root}/include" "${quire_root}/src")
target_compile_definitions(quire_for_python INTERFACE "QUIRE_VERSION=\"${version}\"")
set(quire_rpath "${tree};${quire_root}/.deps/onnxruntime/lib")
install(PROGRAMS "${tree}/quire" DESTINATION quire/bin COMPONENT python)
