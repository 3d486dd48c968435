# -DQUIRE_BROWSER=ON, the preset wasm: the core for a page, web/wasm. No runtime, server
# or command line. Exceptions have no handlers there: what is thrown ends the worker, and the page is told.
set(QUIRE_BROWSER_MEMORY_MIB 4095)
set(shim "${PROJECT_SOURCE_DIR}/web/wasm/shim")
target_include_directories(quire_options BEFORE INTERFACE "${shim}")
target_compile_definitions(quire_options INTERFACE QUIRE_BROWSER_MEMORY_MIB=${QUIRE_BROWSER_MEMORY_MIB}
                                                   JSON_HAS_FILESYSTEM=0)
target_compile_options(
  quire_options INTERFACE -msimd128 -mbulk-memory -fignore-exceptions -ffp-contract=off -fno-threadsafe-statics
                          -ffunction-sections -fdata-sections)

# Debian's sources, which scripts/setup_wasm.sh unpacks: there are no packages of them for WebAssembly.
set(sources "${PROJECT_SOURCE_DIR}/.deps/wasm")
set(CMAKE_C_FLAGS "${CMAKE_C_FLAGS} -msimd128 -mbulk-memory -ffunction-sections")
add_library(quire_utf8proc STATIC "${sources}/utf8proc/utf8proc.c")
target_include_directories(quire_utf8proc SYSTEM PUBLIC "${sources}/utf8proc")
target_compile_definitions(quire_utf8proc PUBLIC UTF8PROC_STATIC)
add_library(PkgConfig::utf8proc ALIAS quire_utf8proc)

file(GLOB pcre2_sources "${sources}/pcre2/src/pcre2_*.c" "${sources}/pcre2/src/pcre2_chartables.c")
list(FILTER pcre2_sources EXCLUDE REGEX "pcre2_(jit_match|jit_misc|jit_neon_inc|jit_simd_inc|jit_test|dftables|fuzzsupport|printint|ucptables)\\.c$")
add_library(quire_pcre2 STATIC ${pcre2_sources})
target_include_directories(quire_pcre2 SYSTEM PUBLIC "${sources}/pcre2/src")
target_compile_definitions(quire_pcre2 PUBLIC PCRE2_STATIC PRIVATE PCRE2_CODE_UNIT_WIDTH=8 HAVE_CONFIG_H
                                                                   SUPPORT_UNICODE)
add_library(PkgConfig::pcre2 ALIAS quire_pcre2)

add_library(xxhash INTERFACE)
target_compile_definitions(xxhash INTERFACE XXH_INLINE_ALL)
add_library(OpenSSL::Crypto INTERFACE IMPORTED)
add_library(Threads::Threads INTERFACE IMPORTED)
