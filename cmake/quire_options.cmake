# quire_options: language level and sanitizers. quire_warnings: what every file of ours compiles with.
add_library(quire_options INTERFACE)
target_compile_features(quire_options INTERFACE cxx_std_20)
target_include_directories(
  quire_options INTERFACE "${CMAKE_CURRENT_SOURCE_DIR}/include" "${CMAKE_CURRENT_SOURCE_DIR}/src")
target_compile_definitions(quire_options INTERFACE QUIRE_VERSION="${PROJECT_VERSION}")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64|ARM64")
  # Its base set has fused multiply-adds, which g++ takes where it sees a chance, and x86's has not: a
  # sampler's sums would differ in their last bits from one machine to the other.
  target_compile_options(quire_options INTERFACE -ffp-contract=off)
endif()
if(QUIRE_SANITIZE)
  target_compile_options(quire_options INTERFACE -fsanitize=${QUIRE_SANITIZE} -fno-sanitize-recover=all
                                                 -fno-omit-frame-pointer)
  # AddressSanitizer with UndefinedBehaviorSanitizer compiles two fifths faster without an optimizer, and
  # the tests that take long are in kernels, which have one. ThreadSanitizer builds a few programs that run
  # long.
  if(QUIRE_SANITIZE MATCHES "thread")
    target_compile_options(quire_options INTERFACE -O1)
  endif()
  target_link_options(quire_options INTERFACE -fsanitize=${QUIRE_SANITIZE})
endif()

add_library(quire_warnings INTERFACE)
target_compile_options(
  quire_warnings
  INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
            -Wold-style-cast -Woverloaded-virtual -Wno-psabi
            -Wno-missing-field-initializers) # designated initialisers leave out what has a default
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # -Wrestrict: g++ 12 sees overlaps in std::string's operator+ that are not there (GCC bug 105651).
  target_compile_options(quire_warnings INTERFACE -Wduplicated-cond -Wlogical-op -Wno-restrict)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # g++ 12's own std::stable_sort calls what the library has deprecated.
  target_compile_options(quire_warnings INTERFACE -Wno-deprecated-declarations)
endif()
if(QUIRE_WERROR)
  target_compile_options(quire_warnings INTERFACE -Werror)
endif()
