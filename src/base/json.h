#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "quire/result.h"

namespace quire {

// Parses JSON text without letting the parser throw: nested at most `max_depth` deep, no duplicate
// keys, at most eight million values, well-formed UTF-8. `what` names the text in the message of a
// failure.
Result<nlohmann::json> parse_json(std::string_view text, std::string_view what, int max_depth = 64);

// Reads and parses a JSON file of at most `max_bytes`; fails with kBadModel.
Result<nlohmann::json> read_json_file(const std::filesystem::path& path, std::uint64_t max_bytes);

// Typed reading of an object's fields, with failures that name the field. For files (kBadModel).
class JsonObject {
 public:
  // `value` must outlive this. `what` is what the object is called in messages, e.g. a file's name.
  static Result<JsonObject> of(const nlohmann::json& value, std::string what);

  bool has(const char* key) const;
  Result<std::string> string(const char* key) const;
  Result<std::string> string_or(const char* key, std::string fallback) const;
  Result<std::int64_t> integer(const char* key, std::int64_t low, std::int64_t high) const;
  Result<std::vector<std::int64_t>> integers(const char* key,
                                             std::int64_t low,
                                             std::int64_t high) const;
  Result<double> number(const char* key) const;
  Result<bool> boolean(const char* key) const;
  Result<JsonObject> object(const char* key) const;
  Result<const nlohmann::json*> array(const char* key) const;

  const nlohmann::json& value() const { return *value_; }
  const std::string& what() const { return what_; }

 private:
  JsonObject(const nlohmann::json& value, std::string what)
      : value_(&value), what_(std::move(what)) {}
  Result<const nlohmann::json*> field(const char* key) const;
  Status wrong_type(const char* key, std::string_view expected) const;

  const nlohmann::json* value_;
  std::string what_;
};

}  // namespace quire
