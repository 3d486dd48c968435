#include "quire/options.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "quire/result.h"

namespace quire {
namespace {

Status check_range(const char* name, int value, int low, int high) {
  if (value >= low && value <= high) return ok_status();
  return invalid_argument("option " + std::string(name) + " is " + std::to_string(value) +
                          ", but must be from " + std::to_string(low) + " to " +
                          std::to_string(high));
}

}  // namespace

Status validate(const EngineOptions& options) {
  QUIRE_TRY(check_range("num_threads", options.num_threads, 0, 1024));
  QUIRE_TRY(check_range("num_kv_blocks", options.num_kv_blocks, 0, 1 << 24));
  QUIRE_TRY(check_range("block_size", options.block_size, 16, 256));
  QUIRE_TRY(check_range("max_num_seqs", options.max_num_seqs, 1, 65536));
  QUIRE_TRY(check_range("max_batch_tokens", options.max_batch_tokens, 1, 1 << 20));
  QUIRE_TRY(check_range("speculate", options.speculate, 0, 32));
  if (options.block_size % 16 != 0) {
    return invalid_argument("option block_size is " + std::to_string(options.block_size) +
                            ", but must be a multiple of 16");
  }
  if (options.device != "cpu") {
    return invalid_argument("option device is \"" + options.device.substr(0, 32) +
                            "\", but this build runs on cpu only");
  }
  constexpr std::array<std::string_view, 5> kKvDtypes = {"auto", "fp32", "fp16", "bf16", "int8"};
  if (std::ranges::find(kKvDtypes, options.kv_dtype) == kKvDtypes.end()) {
    return invalid_argument("option kv_dtype is \"" + options.kv_dtype.substr(0, 32) +
                            "\", but must be auto, fp32, fp16, bf16 or int8");
  }
  constexpr std::array<std::string_view, 3> kActivationBits = {"auto", "8", "16"};
  if (std::ranges::find(kActivationBits, options.activation_bits) == kActivationBits.end()) {
    return invalid_argument("option activation_bits is \"" + options.activation_bits.substr(0, 32) +
                            "\", but must be auto, 8 or 16");
  }
  constexpr std::array<std::string_view, 4> kTools = {"auto", "none", "calculator", "arithmetic"};
  if (std::ranges::find(kTools, options.tools) == kTools.end()) {
    return invalid_argument("option tools is \"" + options.tools.substr(0, 32) +
                            "\", but must be auto, none, calculator or arithmetic");
  }
  return ok_status();
}

}  // namespace quire
