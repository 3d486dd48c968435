#include "chat/runtime.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "chat/objects.h"
#include "chat/text_search.h"

namespace quire::chat {

using Kind = Value::Kind;

Status Budget::spend(std::size_t steps) {
  if (steps > steps_left_) {
    steps_left_ = 0;
    return invalid_argument("the chat template takes too many steps");
  }
  steps_left_ -= steps;
  return ok_status();
}

Status Budget::check_text(std::size_t bytes) const {
  if (bytes <= max_text_bytes_) return ok_status();
  return invalid_argument("the chat template makes a text of more than " +
                          std::to_string(max_text_bytes_) + " bytes");
}

Status Budget::make_text(std::size_t bytes) {
  QUIRE_TRY(check_text(bytes));
  return spend_text(bytes);
}

namespace {

// What going through a value once costs.
std::size_t steps_of(const Value& value) {
  if (value.is(Kind::kText)) return value.as_text().size() / 16;
  if (value.is(Kind::kList)) return value.as_list().items.size() / 16;
  if (value.is(Kind::kDict)) return value.as_dict().items.size() / 16;
  return 0;
}

}  // namespace

Status charge_call(const Value& value, const CallArguments& arguments, Budget* budget) {
  std::size_t steps = 1 + steps_of(value);
  for (const Value& argument : arguments.positional) steps += steps_of(argument);
  for (const auto& [name, argument] : arguments.keywords) steps += steps_of(argument);
  return budget->spend(steps);
}

Status charge_lookup(const Dict& dict, const Value& key, Budget* budget) {
  const std::size_t length = key.is(Kind::kText) ? key.as_text().size() : 0;
  return budget->spend(dict.items.size() * (1 + length / 64) / 16 + 1);
}

const Value* CallArguments::find(std::size_t place, std::string_view name) const {
  if (place < positional.size()) return &positional[place];
  const auto found = std::find_if(
      keywords.begin(), keywords.end(), [&](const auto& keyword) { return keyword.first == name; });
  return found == keywords.end() ? nullptr : &found->second;
}

Status CallArguments::check(std::string_view function,
                            std::size_t required,
                            std::initializer_list<std::string_view> parameters) const {
  const std::string who(function);
  if (positional.size() > parameters.size()) {
    return invalid_argument(who + " takes at most " + std::to_string(parameters.size()) +
                            " arguments");
  }
  for (const auto& [name, value] : keywords) {
    const auto found = std::find(parameters.begin(), parameters.end(), name);
    const auto place = static_cast<std::size_t>(found - parameters.begin());
    if (found == parameters.end() || place < positional.size()) {
      return invalid_argument(std::string(who).append(" got an unexpected argument '") + name +
                              "'");
    }
  }
  for (std::size_t place = 0; place < required; ++place) {
    const std::string_view name = *(parameters.begin() + place);
    if (find(place, name) == nullptr) {
      return invalid_argument(who + " needs the argument '" + std::string(name) + "'");
    }
  }
  return ok_status();
}

Result<std::int64_t> integer_argument(const CallArguments& arguments,
                                      std::size_t place,
                                      std::string_view name,
                                      std::int64_t fallback) {
  const Value* value = arguments.find(place, name);
  if (value == nullptr) return fallback;
  if (!value->is_integer()) return misused(*value, "is not an integer");
  return value->as_int();
}

Result<Text> text_argument(const CallArguments& arguments,
                           std::size_t place,
                           std::string_view name,
                           const Text& fallback) {
  const Value* value = arguments.find(place, name);
  if (value == nullptr) return fallback;
  if (!value->is(Kind::kText)) return misused(*value, "is not a string");
  return value->as_text();
}

bool flag_argument(const CallArguments& arguments,
                   std::size_t place,
                   std::string_view name,
                   bool fallback) {
  const Value* value = arguments.find(place, name);
  return value == nullptr ? fallback : value->truth();
}

Status misused(const Value& value, std::string_view what) {
  if (value.is(Kind::kUndefined)) {
    return invalid_argument(value.undefined_what() + " is undefined");
  }
  return invalid_argument("a value of type " + std::string(type_name(value)) + " " +
                          std::string(what));
}

Result<std::vector<Value>> items_of(const Value& value, Budget* budget) {
  std::vector<Value> items;
  switch (value.kind()) {
    case Kind::kUndefined:
      return items;
    case Kind::kList:
      QUIRE_TRY(budget->spend(value.as_list().items.size()));
      return value.as_list().items;
    case Kind::kDict:
      QUIRE_TRY(budget->spend(value.as_dict().items.size()));
      for (const auto& item : value.as_dict().items) items.push_back(item.first);
      return items;
    case Kind::kText: {
      const Text& text = value.as_text();
      QUIRE_TRY(budget->spend(text.size()));
      for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = at + decode_utf8(text.bytes, at).length;
        items.push_back(Value::text(text.slice(at, end)));
        at = end;
      }
      return items;
    }
    default:
      return misused(value, "cannot be iterated over");
  }
}

Result<std::int64_t> length_of(const Value& value, Budget* budget) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return std::int64_t{0};
    case Kind::kList:
      return static_cast<std::int64_t>(value.as_list().items.size());
    case Kind::kDict:
      return static_cast<std::int64_t>(value.as_dict().items.size());
    case Kind::kText:
      QUIRE_TRY(budget->spend_text(value.as_text().size()));
      return count_code_points(value.as_text().bytes);
    default:
      return misused(value, "has no length");
  }
}

namespace {

// A list never equals a tuple, whatever they hold.
Result<bool> equal_lists(const List& a, const List& b, Budget* budget) {
  if (a.items.size() != b.items.size() || a.is_tuple != b.is_tuple) return false;
  for (std::size_t i = 0; i < a.items.size(); ++i) {
    QUIRE_ASSIGN(const bool same, equal(a.items[i], b.items[i], budget));
    if (!same) return false;
  }
  return true;
}

// The order of keys does not matter.
Result<bool> equal_dicts(const Dict& a, const Dict& b, Budget* budget) {
  if (a.items.size() != b.items.size()) return false;
  for (const auto& [key, value] : a.items) {
    QUIRE_TRY(charge_lookup(b, key, budget));
    QUIRE_TRY(budget->spend(b.items.size()));
    const Value* other = b.find(key);
    if (other == nullptr) return false;
    QUIRE_ASSIGN(const bool same, equal(value, *other, budget));
    if (!same) return false;
  }
  return true;
}

template <typename T>
int order(const T& a, const T& b) {
  if (a < b) return -1;
  return b < a ? 1 : 0;
}

std::string digits_of(const Value& value) {
  return value.is(Kind::kBigInt) ? value.as_digits() : std::to_string(value.as_int());
}

// Integers by their sign, then how many digits they have, then the digits.
int order_of_digits(std::string_view a, std::string_view b) {
  const bool a_negative = a.starts_with('-');
  const bool b_negative = b.starts_with('-');
  if (a_negative != b_negative) return a_negative ? -1 : 1;
  const int size = a.size() != b.size() ? order(a.size(), b.size()) : order(a, b);
  return a_negative ? -size : size;
}

}  // namespace

Result<bool> equal(const Value& a, const Value& b, Budget* budget) {
  QUIRE_TRY(budget->spend());
  if (a.is_number() && b.is_number()) return same_key(a, b);
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kText:
      QUIRE_TRY(budget->spend_text(std::min(a.as_text().size(), b.as_text().size())));
      return a.as_text().bytes == b.as_text().bytes;
    case Kind::kList:
      return equal_lists(a.as_list(), b.as_list(), budget);
    case Kind::kDict:
      return equal_dicts(a.as_dict(), b.as_dict(), budget);
    case Kind::kNamespace:
      return &a.as_namespace() == &b.as_namespace();
    case Kind::kLoop:
      return &a.as_loop() == &b.as_loop();
    case Kind::kCallable:
      return &a.as_callable() == &b.as_callable();
    default:
      return true;  // undefined and none equal themselves
  }
}

Result<int> compare(const Value& a, const Value& b, Budget* budget) {
  QUIRE_TRY(budget->spend());
  if (a.is_integer() && b.is_integer()) return order(a.as_int(), b.as_int());
  if (a.is(Kind::kBigInt) || b.is(Kind::kBigInt)) {
    if (!a.is(Kind::kFloat) && !b.is(Kind::kFloat) && a.is_number() && b.is_number()) {
      return order_of_digits(digits_of(a), digits_of(b));
    }
  }
  if (a.is_number() && b.is_number()) return order(a.as_double(), b.as_double());
  if (a.is(Kind::kText) && b.is(Kind::kText)) {
    QUIRE_TRY(budget->spend_text(std::min(a.as_text().size(), b.as_text().size())));
    return order(a.as_text().bytes, b.as_text().bytes);  // UTF-8 sorts as its code points do
  }
  if (!a.is(Kind::kList) || !b.is(Kind::kList)) {
    const Value& culprit = a.is(Kind::kUndefined) ? a : b;
    if (culprit.is(Kind::kUndefined)) return misused(culprit, "");
    return invalid_argument("values of type " + std::string(type_name(a)) + " and " +
                            std::string(type_name(b)) + " have no order");
  }
  const auto& left = a.as_list().items;
  const auto& right = b.as_list().items;
  for (std::size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
    QUIRE_ASSIGN(const bool same, equal(left[i], right[i], budget));
    if (!same) return compare(left[i], right[i], budget);
  }
  return order(left.size(), right.size());
}

Result<bool> contains(const Value& container, const Value& item, Budget* budget) {
  switch (container.kind()) {
    case Kind::kUndefined:
      return false;
    case Kind::kText: {
      if (!item.is(Kind::kText)) return misused(item, "cannot be in a string");
      QUIRE_TRY(budget->spend_text(4 * container.as_text().size() + 4 * item.as_text().size()));
      return TextSearch(item.as_text().bytes).find(container.as_text().bytes) != std::string::npos;
    }
    case Kind::kDict:
      if (!is_hashable(item)) return misused(item, "cannot be a key");
      QUIRE_TRY(charge_lookup(container.as_dict(), item, budget));
      return container.as_dict().find(item) != nullptr;
    case Kind::kList: {
      for (const Value& member : container.as_list().items) {
        QUIRE_ASSIGN(const bool same, equal(member, item, budget));
        if (same) return true;
      }
      return false;
    }
    default:
      return misused(container, "cannot contain anything");
  }
}

void Scope::set(const std::string& name, Value value) {
  for (auto& [known, old] : variables) {
    if (known == name) {
      old = std::move(value);
      return;
    }
  }
  variables.emplace_back(name, std::move(value));
}

std::size_t Scope::size_with_parents() const {
  std::size_t size = 0;
  for (const Scope* scope = this; scope != nullptr; scope = scope->parent) {
    size += scope->variables.size() + 1;
  }
  return size;
}

const Value* Scope::find(std::string_view name) const {
  for (const Scope* scope = this; scope != nullptr; scope = scope->parent) {
    for (const auto& [known, value] : scope->variables) {
      if (known == name) return &value;
    }
  }
  return nullptr;
}

}  // namespace quire::chat
