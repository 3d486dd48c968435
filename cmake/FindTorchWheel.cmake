# Finds LibTorch in the PyPI wheel that scripts/setup.sh installs: the folder that Python calls
# torch.utils.cmake_prefix_path, two levels up. Target: TorchWheel::torch. The wheel's own
# TorchConfig.cmake would bring compiler flags and a search for CUDA along.
file(GLOB _prefixes "${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch/share/cmake")
list(GET _prefixes 0 _prefix)
set(QUIRE_TORCH_PREFIX "${_prefix}" CACHE PATH "python3 -c 'import torch.utils as t; print(t.cmake_prefix_path)'")
cmake_path(SET TorchWheel_ROOT NORMALIZE "${QUIRE_TORCH_PREFIX}/../..")
find_path(TorchWheel_INCLUDE_DIR torch/library.h HINTS "${TorchWheel_ROOT}/include" NO_DEFAULT_PATH)
foreach(_library torch_cpu c10)
  find_library(TorchWheel_${_library}_LIBRARY ${_library} HINTS "${TorchWheel_ROOT}/lib" NO_DEFAULT_PATH)
endforeach()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  TorchWheel
  REQUIRED_VARS TorchWheel_torch_cpu_LIBRARY TorchWheel_c10_LIBRARY TorchWheel_INCLUDE_DIR
  REASON_FAILURE_MESSAGE
    "there is no torch wheel in .venv. Run scripts/setup.sh, or build without it: -DQUIRE_WITH_TORCH=OFF")
if(TorchWheel_FOUND AND NOT TARGET TorchWheel::torch)
  add_library(TorchWheel::torch INTERFACE IMPORTED)
  target_include_directories(
    TorchWheel::torch SYSTEM
    INTERFACE "${TorchWheel_INCLUDE_DIR}" "${TorchWheel_INCLUDE_DIR}/torch/csrc/api/include")
  target_link_libraries(TorchWheel::torch INTERFACE "${TorchWheel_torch_cpu_LIBRARY}"
                                                    "${TorchWheel_c10_LIBRARY}")
endif()
