# cmake --install BUILD --prefix DIR makes a folder that can be moved anywhere: the program finds its
# libraries by $ORIGIN and needs neither Python nor the environment. Left to the system: libc and the
# C++ runtime.
include(GNUInstallDirs)
set_target_properties(quire_program PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
install(
  TARGETS quire_program
  RUNTIME_DEPENDENCY_SET quire_runtime
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(
  RUNTIME_DEPENDENCY_SET quire_runtime
  PRE_EXCLUDE_REGEXES "^ld-linux" "^lib(c|m|dl|rt|pthread|stdc\\+\\+|gcc_s)\\.so"
  POST_EXCLUDE_REGEXES "/ld-linux"
  DIRECTORIES "${QUIRE_ONNXRUNTIME_ROOT}/lib"
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(QUIRE_WITH_ONNX)
  # Opened at run time by the name of its version, so it is no dependency that could be followed.
  file(REAL_PATH "${OnnxRuntime_LIBRARY}" onnxruntime_file)
  install(FILES "${onnxruntime_file}" DESTINATION ${CMAKE_INSTALL_LIBDIR} RENAME libonnxruntime.so.1)
endif()
if(QUIRE_WITH_TORCH)
  # Finds LibTorch where it was built against: at half a gigabyte it stays in its wheel.
  set_target_properties(quire_torch_plugin PROPERTIES INSTALL_RPATH "$ORIGIN" INSTALL_RPATH_USE_LINK_PATH ON)
  install(TARGETS quire_torch_plugin LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
install(DIRECTORY include/quire DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES LICENSE THIRD_PARTY_LICENSES.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
