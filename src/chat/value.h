#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "chat/text.h"
#include "quire/result.h"

namespace quire::chat {

struct List;
struct Dict;
struct Namespace;
struct LoopState;
struct Callable;

// A value of a template. Strings, lists and dictionaries are immutable and shared between values
// (hence shared_ptr: a loop over messages must not copy them); namespaces, loops and callables
// belong to the arena of one rendering and are only pointed at. Not for use by several threads.
class Value {
 public:
  enum class Kind {
    kUndefined,
    kNone,
    kBool,
    kInt,
    kFloat,
    kText,
    kList,
    kDict,
    kNamespace,
    kLoop,
    kCallable,
    kBigInt,  // an int of more than 64 bits
  };

  Value() = default;  // undefined
  // An undefined value that remembers what was looked for, for the error of whoever uses it.
  static Value undefined(std::string what);
  static Value none();
  // `trusted`: whether the digits or letters of a printed scalar count as the template's own.
  static Value boolean(bool value, bool trusted = false);
  static Value integer(std::int64_t value, bool trusted = false);
  // An int in decimal digits, of any size; one of 64 bits becomes an ordinary one.
  static Value digits(std::string_view digits, bool trusted = false);
  static Value real(double value, bool trusted = false);
  static Value text(Text value);
  static Value text(std::string_view value, bool trusted);
  static Value list(std::shared_ptr<const List> value);
  static Value dict(std::shared_ptr<const Dict> value);
  static Value space(Namespace* value);
  static Value loop(LoopState* value);
  static Value callable(const Callable* value);

  [[nodiscard]] Kind kind() const;
  [[nodiscard]] bool is(Kind wanted) const { return kind() == wanted; }
  [[nodiscard]] bool is_number() const;   // an int, a float or a bool, as in Python
  [[nodiscard]] bool is_integer() const;  // an int of 64 bits or a bool
  [[nodiscard]] bool is_trusted() const;
  [[nodiscard]] bool truth() const;

  // Each may be called on its own kind only.
  [[nodiscard]] const std::string& undefined_what() const;
  [[nodiscard]] bool as_bool() const { return std::get<bool>(data_); }
  [[nodiscard]] std::int64_t as_int() const;  // an int or a bool
  [[nodiscard]] double as_double() const;     // any number
  [[nodiscard]] const std::string& as_digits() const { return *std::get<DigitsPtr>(data_); }
  [[nodiscard]] const Text& as_text() const { return *std::get<TextPtr>(data_); }
  [[nodiscard]] const List& as_list() const { return *std::get<ListPtr>(data_); }
  [[nodiscard]] const Dict& as_dict() const { return *std::get<DictPtr>(data_); }
  [[nodiscard]] Namespace& as_namespace() const { return *std::get<Namespace*>(data_); }
  [[nodiscard]] LoopState& as_loop() const { return *std::get<LoopState*>(data_); }
  [[nodiscard]] const Callable& as_callable() const { return *std::get<const Callable*>(data_); }

 private:
  struct Undefined {
    std::shared_ptr<const std::string> what;
  };
  struct None {};
  using TextPtr = std::shared_ptr<const Text>;
  using ListPtr = std::shared_ptr<const List>;
  using DictPtr = std::shared_ptr<const Dict>;
  using DigitsPtr = std::shared_ptr<const std::string>;

  // In the order of Kind.
  std::variant<Undefined,
               None,
               bool,
               std::int64_t,
               double,
               TextPtr,
               ListPtr,
               DictPtr,
               Namespace*,
               LoopState*,
               const Callable*,
               DigitsPtr>
      data_;
  bool trusted_ = false;  // of scalars; a string has its own marks
};

// How deep lists and dictionaries may be nested in each other. Bounds every recursion over values,
// their destruction included.
inline constexpr int kMaxValueDepth = 64;

struct List {
  std::vector<Value> items;
  bool is_tuple = false;
  bool is_group = false;  // a tuple of groupby, whose items have the names grouper and list
  int depth = 1;
};

struct Dict {
  std::vector<std::pair<Value, Value>> items;  // in order of insertion
  int depth = 1;

  [[nodiscard]] const Value* find(const Value& key) const;
  [[nodiscard]] const Value* find(std::string_view key) const;
  // Sets or replaces; the key must be hashable.
  void set(Value key, Value value);
};

// Finished containers; they fail when nested too deeply.
Result<Value> make_list(std::vector<Value> items, bool is_tuple = false);
Result<Value> make_dict(Dict dict);

// The name Python has for the type of a value, for messages.
std::string_view type_name(const Value& value);

// Whether a value may be a key of a dictionary.
bool is_hashable(const Value& value);

// Whether two hashable values are the same key: 1, 1.0 and true are, as in Python.
bool same_key(const Value& a, const Value& b);

}  // namespace quire::chat
