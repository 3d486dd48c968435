# Finds the ONNX Runtime that scripts/setup.sh unpacks into .deps/onnxruntime: the shared library of
# the PyPI wheel and the C/C++ headers of Debian's libonnxruntime-dev. Target: OnnxRuntime::OnnxRuntime.
set(QUIRE_ONNXRUNTIME_ROOT "${PROJECT_SOURCE_DIR}/.deps/onnxruntime" CACHE PATH
    "Folder with include/onnxruntime and lib/libonnxruntime.so.1")
find_path(OnnxRuntime_INCLUDE_DIR onnxruntime_cxx_api.h
          HINTS "${QUIRE_ONNXRUNTIME_ROOT}/include/onnxruntime" NO_DEFAULT_PATH)
find_file(OnnxRuntime_LIBRARY libonnxruntime.so.1 HINTS "${QUIRE_ONNXRUNTIME_ROOT}/lib" NO_DEFAULT_PATH)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  OnnxRuntime
  REQUIRED_VARS OnnxRuntime_LIBRARY OnnxRuntime_INCLUDE_DIR
  REASON_FAILURE_MESSAGE
    "ONNX Runtime is not in ${QUIRE_ONNXRUNTIME_ROOT}. Run scripts/setup.sh, or build without it: -DQUIRE_WITH_ONNX=OFF")
if(OnnxRuntime_FOUND AND NOT TARGET OnnxRuntime::OnnxRuntime)
  add_library(OnnxRuntime::OnnxRuntime SHARED IMPORTED)
  set_target_properties(
    OnnxRuntime::OnnxRuntime
    PROPERTIES IMPORTED_LOCATION "${OnnxRuntime_LIBRARY}"
               INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${OnnxRuntime_INCLUDE_DIR}")
  target_include_directories(OnnxRuntime::OnnxRuntime SYSTEM INTERFACE "${OnnxRuntime_INCLUDE_DIR}")
endif()
# OnnxRuntime::headers: to call a library that is opened at run time, after Ort::InitApi().
if(OnnxRuntime_FOUND AND NOT TARGET OnnxRuntime::headers)
  add_library(OnnxRuntime::headers INTERFACE IMPORTED)
  target_include_directories(OnnxRuntime::headers SYSTEM INTERFACE "${OnnxRuntime_INCLUDE_DIR}")
  target_compile_definitions(OnnxRuntime::headers INTERFACE ORT_API_MANUAL_INIT)
endif()
