#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/fuzz_bodies.h"

// QUIRE_FUZZ_BODY is the body that this program runs; see CMakeLists.txt.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string input(data, data + size);
  quire::fuzz::QUIRE_FUZZ_BODY(input);
  return 0;
}
