#pragma once

#include <cstdint>

namespace quire {

// A token's number in a model's vocabulary; valid ids are 0 to width of the logits - 1.
using TokenId = std::int32_t;

// Where there is no token, such as before the first of a sequence.
inline constexpr TokenId kNoToken = -1;

}  // namespace quire
