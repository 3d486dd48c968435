# libquire, shared and static: the objects of the rooms up to c_api, compiled once for all.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(quire_private_libraries xxhash crypto utf8proc pcre2-8 ${CMAKE_DL_LIBS})
set(objects)
foreach(folder IN LISTS QUIRE_LAYERS)
  quire_layer_targets(target ${folder})
  if(target)
    list(APPEND objects $<TARGET_OBJECTS:${target}>)
  endif()
  if(folder STREQUAL "c_api")
    break()
  endif()
endforeach()

add_library(quire_shared SHARED ${objects})
set(exports "${PROJECT_SOURCE_DIR}/cmake/quire_exports.map")
target_link_options(quire_shared PRIVATE "-Wl,--version-script=${exports}" -Wl,--no-undefined)
target_link_libraries(quire_shared PRIVATE ${quire_private_libraries} Threads::Threads)
set_target_properties(
  quire_shared
  PROPERTIES OUTPUT_NAME quire
             EXPORT_NAME quire
             VERSION ${PROJECT_VERSION}
             SOVERSION ${PROJECT_VERSION_MAJOR}
             LINK_DEPENDS "${exports}"
             LINKER_LANGUAGE CXX
             INSTALL_RPATH "$ORIGIN"
             LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
add_library(quire_static STATIC ${objects})
set_target_properties(quire_static PROPERTIES OUTPUT_NAME quire LINKER_LANGUAGE CXX
                                              ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
target_link_libraries(quire_static INTERFACE ${quire_private_libraries} Threads::Threads)
foreach(library quire_shared quire_static)
  target_compile_features(${library} INTERFACE cxx_std_20)
  target_include_directories(
    ${library} INTERFACE "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>"
                         "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
endforeach()

install(
  TARGETS quire_shared quire_static
  EXPORT QuireTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
set(config_folder "${CMAKE_INSTALL_LIBDIR}/cmake/Quire")
install(EXPORT QuireTargets NAMESPACE Quire:: DESTINATION ${config_folder})
configure_package_config_file(cmake/QuireConfig.cmake.in "${PROJECT_BINARY_DIR}/QuireConfig.cmake"
                              INSTALL_DESTINATION ${config_folder})
write_basic_package_version_file("${PROJECT_BINARY_DIR}/QuireConfigVersion.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/QuireConfig.cmake" "${PROJECT_BINARY_DIR}/QuireConfigVersion.cmake"
        DESTINATION ${config_folder})
list(TRANSFORM quire_private_libraries PREPEND "-l" OUTPUT_VARIABLE flags)
list(JOIN flags " " quire_private_flags)
string(APPEND quire_private_flags " -lpthread -lstdc++ -lm")
# From lib/pkgconfig, or lib/x86_64-linux-gnu/pkgconfig, back to where all was installed.
file(RELATIVE_PATH quire_pc_to_prefix "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
configure_file(cmake/quire.pc.in "${PROJECT_BINARY_DIR}/quire.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/quire.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
