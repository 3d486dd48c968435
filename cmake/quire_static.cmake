# -DQUIRE_STATIC=ON, the preset static: the program as one file, for a root that holds nothing else.
# Debian's static glibc and libraries. What opens a library at run time is left out, and so is what
# glibc does by opening one (users, host names): the linker warns of that, and here it fails for it.
if(QUIRE_WITH_ONNX OR QUIRE_WITH_TORCH)
  message(FATAL_ERROR "a static program cannot open libraries: add -DQUIRE_WITH_ONNX=OFF -DQUIRE_WITH_TORCH=OFF")
endif()
set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
set(OPENSSL_USE_STATIC_LIBS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
# A static program with a search path for libraries stops before main().
set(CMAKE_SKIP_RPATH ON)
target_compile_options(quire_options INTERFACE -ffunction-sections -fdata-sections)
target_link_options(quire_options INTERFACE -static-pie -Wl,--gc-sections -Wl,--fatal-warnings -s)
