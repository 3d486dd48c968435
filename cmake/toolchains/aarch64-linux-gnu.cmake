# Cross compilation for 64-bit ARM with Debian's compiler (the preset arm64). Libraries of that machine
# lie in .deps/arm64, where scripts/setup_arm64.sh unpacks them; headers without code are this one's.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)

get_filename_component(quire_arm64_root "${CMAKE_CURRENT_LIST_DIR}/../../.deps/arm64" ABSOLUTE)
set(CMAKE_FIND_ROOT_PATH "${quire_arm64_root}")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE BOTH)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE BOTH)
set(ENV{PKG_CONFIG_LIBDIR} "${quire_arm64_root}/usr/lib/aarch64-linux-gnu/pkgconfig")
set(ENV{PKG_CONFIG_SYSROOT_DIR} "${quire_arm64_root}")
include_directories(SYSTEM "${quire_arm64_root}/usr/include/aarch64-linux-gnu")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-L${quire_arm64_root}/usr/lib/aarch64-linux-gnu")

# Instructions this machine does not have are emulated, so ctest runs the tests.
set(CMAKE_CROSSCOMPILING_EMULATOR "qemu-aarch64;-cpu;max")
