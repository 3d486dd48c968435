#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/value.h"
#include "quire/result.h"

namespace quire::chat {

// What one rendering may use up. Every operation pays for what it touches, so a template ends soon
// whatever is written in it.
class Budget {
 public:
  Budget(std::size_t steps, std::size_t max_text_bytes)
      : steps_left_(steps), max_text_bytes_(max_text_bytes) {}

  Status spend(std::size_t steps = 1);
  // For looking at or copying `bytes` of text.
  Status spend_text(std::size_t bytes) { return spend(bytes / 64 + 1); }
  // Fails when a text is larger than any may be.
  [[nodiscard]] Status check_text(std::size_t bytes) const;
  // For making a text of `bytes`, before it is made.
  Status make_text(std::size_t bytes);

 private:
  std::size_t steps_left_;
  std::size_t max_text_bytes_;
};

// For a call of a filter, test, method or function, before it runs: all of them look at the value
// and the arguments, however long. What they make beyond that they charge themselves.
Status charge_call(const Value& value, const struct CallArguments& arguments, Budget* budget);
// For looking a key up.
Status charge_lookup(const Dict& dict, const Value& key, Budget* budget);

// What filters, tests, methods and functions work with during one rendering.
struct Runtime {
  Budget budget;
  std::int64_t now_seconds = 0;  // since 1970, for strftime_now
};

// Evaluated arguments of a call.
struct CallArguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> keywords;

  // The argument at a place or of a name; null when it was not given.
  [[nodiscard]] const Value* find(std::size_t place, std::string_view name) const;
  // Fails unless all arguments fit the parameters and the first `required` of them are there.
  [[nodiscard]] Status check(std::string_view function,
                             std::size_t required,
                             std::initializer_list<std::string_view> parameters) const;
};

// Typed reading of an argument that may be absent.
Result<std::int64_t> integer_argument(const CallArguments& arguments,
                                      std::size_t place,
                                      std::string_view name,
                                      std::int64_t fallback);
Result<Text> text_argument(const CallArguments& arguments,
                           std::size_t place,
                           std::string_view name,
                           const Text& fallback);
bool flag_argument(const CallArguments& arguments,
                   std::size_t place,
                   std::string_view name,
                   bool fallback);

// The error of using a value in a way its kind does not allow; an undefined one names what is
// missing.
Status misused(const Value& value, std::string_view what);

// str(value), as {{ }} and ~ print it.
Result<Text> to_text(const Value& value, Budget* budget);
// The items a loop over the value goes through.
Result<std::vector<Value>> items_of(const Value& value, Budget* budget);
// The length of a string (in code points), list or dictionary.
Result<std::int64_t> length_of(const Value& value, Budget* budget);

Result<bool> equal(const Value& a, const Value& b, Budget* budget);
// -1, 0 or 1 for values that have an order.
Result<int> compare(const Value& a, const Value& b, Budget* budget);
Result<bool> contains(const Value& container, const Value& item, Budget* budget);

// a op b for + - * / // % **.
Result<Value> arithmetic(std::string_view op, const Value& a, const Value& b, Budget* budget);

// object.name, object[key] and object[start:stop:step].
Result<Value> attribute_of(const Value& object, const std::string& name, Runtime* runtime);
Result<Value> item_of(const Value& object, const Value& key, Runtime* runtime);
Result<Value> slice_of(
    const Value& object, const Value& start, const Value& stop, const Value& step, Budget* budget);

// A float as Python prints it.
std::string print_double(double value);

// value | name(arguments), value is name(arguments), self.name(arguments) and name(arguments).
Result<Value> apply_filter(const std::string& name,
                           const Value& value,
                           const CallArguments& arguments,
                           Runtime* runtime);
Result<bool> apply_test(const std::string& name,
                        const Value& value,
                        const CallArguments& arguments,
                        Runtime* runtime);
// Whether there is a filter of the name.
bool is_filter(std::string_view name);
bool is_method(const Value& self, std::string_view name);
Result<Value> call_method(const Value& self,
                          const std::string& name,
                          const CallArguments& arguments,
                          Runtime* runtime);

// How json.dumps writes: one item a line when `indent` is not negative, other scripts as escapes
// where `ascii` is set.
struct JsonStyle {
  int indent = -1;
  bool sort_keys = false;
  bool ascii = false;
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};
Result<Text> to_json(const Value& value, const JsonStyle& style, Budget* budget);

// JSON text of the caller's as an untrusted value; nested at most 60 deep, no key twice.
Result<Value> value_of_json(std::string_view json, std::string_view what);

}  // namespace quire::chat
