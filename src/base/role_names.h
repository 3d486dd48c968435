#pragma once

#include <array>
#include <string_view>

namespace quire {

// The roles that conversations have. Where a template writes a marker around a role, as in
// "<|" + role + "|>", these make the markers it means, and no other word does.
inline constexpr std::array<std::string_view, 10> kRoleNames = {"system",
                                                                "user",
                                                                "assistant",
                                                                "tool",
                                                                "developer",
                                                                "function",
                                                                "ipython",
                                                                "environment",
                                                                "observation",
                                                                "model"};

}  // namespace quire
