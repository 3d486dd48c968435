#pragma once

#include <cstddef>
#include <cstdint>

#include "quire/status.h"

namespace quire {

// What encoding one text may cost, whatever the tokenizer's file says: a part of it must not cost
// more because there are many parts. One text, one thread.
class TextWork {
 public:
  explicit TextWork(std::size_t text_bytes)
      : regex_steps_(kFreeRegexSteps + kRegexStepsPerByte * text_bytes),
        normalized_bytes_(kFreeBytes + kBytesPerByte * text_bytes) {}

  // Takes steps of a regular expression; false when there are not so many left.
  bool take_regex_steps(std::uint64_t steps) {
    if (steps > regex_steps_) return false;
    regex_steps_ -= steps;
    return true;
  }

  // For `bytes` that a normalizer makes, before or as it makes them. Fails with kInvalidArgument.
  Status take_normalized(std::size_t bytes) {
    if (bytes > normalized_bytes_) {
      return invalid_argument(
          "the tokenizer's normalizer makes far too long a text of this one; give a shorter one");
    }
    normalized_bytes_ -= bytes;
    return ok_status();
  }

 private:
  static constexpr std::uint64_t kFreeRegexSteps = 16'000'000;
  static constexpr std::uint64_t kRegexStepsPerByte = 1000;
  static constexpr std::size_t kFreeBytes = std::size_t{1} << 20U;
  static constexpr std::size_t kBytesPerByte = 256;

  std::uint64_t regex_steps_;
  std::size_t normalized_bytes_;
};

}  // namespace quire
