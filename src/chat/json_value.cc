#include <cstddef>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "chat/runtime.h"

namespace quire::chat {
namespace {

using Json = nlohmann::json;

// Builds a value while the JSON is being read, which keeps the order of keys and refuses what a
// tree of JSON would swallow: deep nesting, keys given twice, integers that do not fit.
class ValueBuilder : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return add(Value::none()); }
  bool boolean(bool value) override { return add(Value::boolean(value)); }
  bool number_integer(number_integer_t value) override { return add(Value::integer(value)); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max())) {
      return add(Value::digits(std::to_string(value)));
    }
    return add(Value::integer(static_cast<std::int64_t>(value)));
  }
  bool number_float(number_float_t value, const string_t& text) override {
    // An integer of more than 64 bits arrives here as well.
    if (text.find_first_of(".eE") == string_t::npos) return add(Value::digits(text));
    return add(Value::real(value));
  }
  bool string(string_t& value) override { return add(Value::text(value, false)); }
  bool binary(binary_t&) override { return fail("it is not JSON"); }
  bool start_object(std::size_t) override { return open(true); }
  bool start_array(std::size_t) override { return open(false); }
  bool key(string_t& name) override {
    if (!open_.back().known.insert(name).second)
      return fail("the key '" + name + "' is given twice");
    open_.back().key = Value::text(name, false);
    return true;
  }
  bool end_object() override {
    Dict dict = std::move(open_.back().dict);
    open_.pop_back();
    return add(make_dict(std::move(dict)));
  }
  bool end_array() override {
    std::vector<Value> items = std::move(open_.back().items);
    open_.pop_back();
    return add(make_list(std::move(items)));
  }
  bool parse_error(std::size_t position,
                   const std::string&,
                   const nlohmann::detail::exception& error) override {
    constexpr int kTooLarge = 406;  // more than a double holds
    if (error.id == kTooLarge) return fail("a number in it is out of range");
    return fail("it is not JSON at byte " + std::to_string(position));
  }

  [[nodiscard]] const std::string& problem() const { return problem_; }
  Value take() { return std::move(result_); }

 private:
  struct Open {
    bool is_object = false;
    Dict dict;
    std::vector<Value> items;
    Value key;
    std::unordered_set<std::string> known;
  };
  static constexpr std::size_t kMaxDepth = 60;

  bool fail(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
    return false;
  }
  bool open(bool is_object) {
    if (open_.size() >= kMaxDepth) return fail("it is nested too deeply");
    open_.emplace_back();
    open_.back().is_object = is_object;
    return true;
  }
  bool add(Result<Value> value) {
    if (!value) return fail(value.error().message());
    if (open_.empty()) {
      result_ = *std::move(value);
    } else if (open_.back().is_object) {
      open_.back().dict.items.emplace_back(open_.back().key, *std::move(value));
    } else {
      open_.back().items.push_back(*std::move(value));
    }
    return true;
  }

  std::vector<Open> open_;
  Value result_;
  std::string problem_;
};

}  // namespace

Result<Value> value_of_json(std::string_view json, std::string_view what) {
  const Status failure = invalid_argument(std::string(what) + " cannot be used");
  if (find_invalid_utf8(json) != std::string_view::npos) {
    return invalid_argument(failure.message() + ": it is not UTF-8");
  }
  ValueBuilder builder;
  try {
    if (Json::sax_parse(json, &builder)) return builder.take();
  } catch (const Json::exception&) {
    return invalid_argument(failure.message() + ": a number in it is out of range");
  }
  return invalid_argument(failure.message() + ": " + builder.problem());
}

}  // namespace quire::chat
