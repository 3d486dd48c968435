#include "ops/attributes.h"

namespace quire::ops {
namespace {

Status missing(std::string_view name, const char* kind) {
  return bad_model("attribute " + std::string(name) + " is missing or not " + kind);
}

}  // namespace

const Attributes::Value* Attributes::find(std::string_view name) const {
  for (const auto& [key, value] : values_) {
    if (key == name) return &value;
  }
  return nullptr;
}

Result<std::int64_t> Attributes::required_int(std::string_view name) const {
  const Value* value = find(name);
  const auto* number = value == nullptr ? nullptr : std::get_if<std::int64_t>(value);
  if (number == nullptr) return missing(name, "an integer");
  return *number;
}

Result<std::int64_t> Attributes::optional_int(std::string_view name, std::int64_t otherwise) const {
  const Value* value = find(name);
  if (value == nullptr) return otherwise;
  if (const auto* number = std::get_if<std::int64_t>(value)) return *number;
  return bad_model("attribute " + std::string(name) + " must be an integer");
}

Result<float> Attributes::optional_float(std::string_view name, float otherwise) const {
  const Value* value = find(name);
  if (value == nullptr) return otherwise;
  if (const auto* number = std::get_if<float>(value)) return *number;
  return bad_model("attribute " + std::string(name) + " must be a float");
}

Result<std::string> Attributes::required_string(std::string_view name) const {
  const Value* value = find(name);
  const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(value);
  if (text == nullptr) return missing(name, "a string");
  return *text;
}

}  // namespace quire::ops
