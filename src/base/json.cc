#include "base/json.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"

namespace quire {
namespace {

using nlohmann::json;

// A pass over the text that refuses what the tree builder would accept or choke on: deep nesting
// and keys given twice. Nothing is kept.
class JsonGuard : public nlohmann::json_sax<json> {
 public:
  explicit JsonGuard(int max_depth) : max_depth_(max_depth) {}

  bool null() override { return count(); }
  bool boolean(bool) override { return count(); }
  bool number_integer(json::number_integer_t) override { return count(); }
  bool number_unsigned(json::number_unsigned_t) override { return count(); }
  bool number_float(json::number_float_t, const json::string_t&) override { return count(); }
  bool string(json::string_t&) override { return count(); }
  bool binary(json::binary_t&) override { return count(); }
  bool start_object(std::size_t) override {
    keys_.emplace_back();
    return enter();
  }
  bool key(json::string_t& name) override {
    if (keys_.back().insert(name).second) return true;
    problem_ = "the key \"" + name + "\" is given twice";
    return false;
  }
  bool end_object() override {
    keys_.pop_back();
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override { return enter(); }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(std::size_t position,
                   const std::string&,
                   const nlohmann::detail::exception&) override {
    problem_ = "it is not JSON from byte " + std::to_string(position) + " on";
    return false;
  }

  const std::string& problem() const { return problem_; }

 private:
  // A tree takes many times the bytes of its text where values are short.
  bool count() {
    if (++num_values_ <= kMaxValues) return true;
    problem_ = "it has more than " + std::to_string(kMaxValues) + " values";
    return false;
  }
  bool enter() {
    if (!count()) return false;
    if (++depth_ <= max_depth_) return true;
    problem_ = "it is nested more than " + std::to_string(max_depth_) + " deep";
    return false;
  }

  static constexpr std::size_t kMaxValues = 8'000'000;

  int max_depth_;
  int depth_ = 0;
  std::size_t num_values_ = 0;
  std::vector<std::set<std::string>> keys_;
  std::string problem_;
};

}  // namespace

Result<json> parse_json(std::string_view text, std::string_view what, int max_depth) {
  JsonGuard guard(max_depth);
  try {
    if (!json::sax_parse(text, &guard)) {
      return bad_model(std::string(what) + " cannot be used: " + guard.problem());
    }
    return json::parse(text);
  } catch (const json::exception&) {
    return bad_model(std::string(what) +
                     " cannot be used: a number or string in it is out of range");
  }
}

Result<json> read_json_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
  QUIRE_ASSIGN(const std::string text, read_file(path, max_bytes));
  return parse_json(text, path.string());
}

Result<JsonObject> JsonObject::of(const json& value, std::string what) {
  if (!value.is_object()) return bad_model(what + " must be a JSON object");
  return JsonObject(value, std::move(what));
}

bool JsonObject::has(const char* key) const {
  const auto found = value_->find(key);
  return found != value_->end() && !found->is_null();
}

Result<const json*> JsonObject::field(const char* key) const {
  const auto found = value_->find(key);
  if (found == value_->end()) return bad_model(what_ + " lacks the field \"" + key + "\"");
  return &*found;
}

Status JsonObject::wrong_type(const char* key, std::string_view expected) const {
  return bad_model("the field \"" + std::string(key) + "\" of " + what_ + " must be " +
                   std::string(expected));
}

Result<std::string> JsonObject::string(const char* key) const {
  QUIRE_ASSIGN(const json* value, field(key));
  if (!value->is_string()) return wrong_type(key, "a string");
  return value->get<std::string>();
}

Result<std::string> JsonObject::string_or(const char* key, std::string fallback) const {
  if (!has(key)) return fallback;
  return string(key);
}

namespace {

// Whether a JSON value is an integer in [low, high]; the value goes to `out`.
bool read_integer(const json& value, std::int64_t low, std::int64_t high, std::int64_t* out) {
  if (!value.is_number_integer()) return false;
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX) return false;
  *out = value.get<std::int64_t>();
  return *out >= low && *out <= high;
}

std::string range_text(std::int64_t low, std::int64_t high) {
  return "from " + std::to_string(low) + " to " + std::to_string(high);
}

}  // namespace

Result<std::int64_t> JsonObject::integer(const char* key,
                                         std::int64_t low,
                                         std::int64_t high) const {
  QUIRE_ASSIGN(const json* value, field(key));
  std::int64_t number = 0;
  if (!read_integer(*value, low, high, &number)) {
    return wrong_type(key, "an integer " + range_text(low, high));
  }
  return number;
}

Result<std::vector<std::int64_t>> JsonObject::integers(const char* key,
                                                       std::int64_t low,
                                                       std::int64_t high) const {
  QUIRE_ASSIGN(const json* value, array(key));
  std::vector<std::int64_t> numbers;
  for (const json& item : *value) {
    std::int64_t number = 0;
    if (!read_integer(item, low, high, &number)) {
      return wrong_type(key, "a list of integers " + range_text(low, high));
    }
    numbers.push_back(number);
  }
  return numbers;
}

Result<double> JsonObject::number(const char* key) const {
  QUIRE_ASSIGN(const json* value, field(key));
  if (!value->is_number() || !std::isfinite(value->get<double>())) {
    return wrong_type(key, "a finite number");
  }
  return value->get<double>();
}

Result<bool> JsonObject::boolean(const char* key) const {
  QUIRE_ASSIGN(const json* value, field(key));
  if (!value->is_boolean()) return wrong_type(key, "true or false");
  return value->get<bool>();
}

Result<JsonObject> JsonObject::object(const char* key) const {
  QUIRE_ASSIGN(const json* value, field(key));
  return of(*value, what_ + ": " + key);
}

Result<const json*> JsonObject::array(const char* key) const {
  QUIRE_ASSIGN(const json* value, field(key));
  if (!value->is_array()) return wrong_type(key, "a list");
  return value;
}

}  // namespace quire
