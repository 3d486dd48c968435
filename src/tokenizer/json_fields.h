#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "quire/result.h"
#include "quire/status.h"

namespace quire {

// Reading JSON that may hold anything: each function names the field in its one-line error and none
// lets an exception out. `where` is how the reader would find the object, for example "decoder".

// The member `name`, or null when it is absent or JSON null.
const nlohmann::json* find_field(const nlohmann::json& object, const char* name);

Status check_object(const nlohmann::json& value, std::string_view where);
Status check_array(const nlohmann::json& value, std::string_view where);

// A string that must be there.
Result<std::string> string_field(const nlohmann::json& object,
                                 const char* name,
                                 std::string_view where);
Result<bool> bool_field(const nlohmann::json& object,
                        const char* name,
                        bool fallback,
                        std::string_view where);
// A token id: an integer from 0 to kMaxTokenId.
Result<std::int32_t> token_id_of(const nlohmann::json& value, std::string_view where);

inline constexpr std::int64_t kMaxTokenId = (std::int64_t{1} << 21) - 1;

}  // namespace quire
