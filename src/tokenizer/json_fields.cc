#include "tokenizer/json_fields.h"

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace quire {
namespace {

using Json = nlohmann::json;

Status wrong_type(std::string_view where, const char* name, const char* wanted) {
  return bad_model(std::string(where) + ": \"" + name + "\" must be " + wanted);
}

}  // namespace

const Json* find_field(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

Status check_object(const Json& value, std::string_view where) {
  return value.is_object() ? ok_status() : bad_model(std::string(where) + " must be an object");
}

Status check_array(const Json& value, std::string_view where) {
  return value.is_array() ? ok_status() : bad_model(std::string(where) + " must be an array");
}

Result<std::string> string_field(const Json& object, const char* name, std::string_view where) {
  const Json* field = find_field(object, name);
  if (field == nullptr || !field->is_string()) return wrong_type(where, name, "a string");
  return field->get_ref<const std::string&>();
}

Result<bool> bool_field(const Json& object,
                        const char* name,
                        bool fallback,
                        std::string_view where) {
  const Json* field = find_field(object, name);
  if (field == nullptr) return fallback;
  if (!field->is_boolean()) return wrong_type(where, name, "true or false");
  return field->get<bool>();
}

Result<std::int32_t> token_id_of(const Json& value, std::string_view where) {
  const bool fits = value.is_number_unsigned() &&
                    value.get<std::uint64_t>() <= static_cast<std::uint64_t>(kMaxTokenId);
  if (!fits) {
    return bad_model(std::string(where) + ": a token id must be an integer from 0 to " +
                     std::to_string(kMaxTokenId));
  }
  return value.get<std::int32_t>();
}

}  // namespace quire
