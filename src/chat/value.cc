#include "chat/value.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/check.h"

namespace quire::chat {
namespace {

int depth_of(const Value& value) {
  if (value.is(Value::Kind::kList)) return value.as_list().depth;
  if (value.is(Value::Kind::kDict)) return value.as_dict().depth;
  return 0;
}

Status too_deep() {
  return invalid_argument("values are nested more than " + std::to_string(kMaxValueDepth) +
                          " levels deep");
}

}  // namespace

Value Value::undefined(std::string what) {
  Value value;
  value.data_ = Undefined{std::make_shared<const std::string>(std::move(what))};
  return value;
}

Value Value::none() {
  Value value;
  value.data_ = None{};
  return value;
}

Value Value::boolean(bool from, bool trusted) {
  Value value;
  value.data_ = from;
  value.trusted_ = trusted;
  return value;
}

Value Value::integer(std::int64_t from, bool trusted) {
  Value value;
  value.data_ = from;
  value.trusted_ = trusted;
  return value;
}

Value Value::digits(std::string_view from, bool trusted) {
  std::int64_t small = 0;
  const char* end = from.data() + from.size();
  const auto parsed = std::from_chars(from.data(), end, small);
  if (parsed.ec == std::errc() && parsed.ptr == end) return integer(small, trusted);
  const bool negative = from.starts_with('-');
  const std::size_t first = from.find_first_not_of("-0");
  Value value;
  value.data_ =
      std::make_shared<const std::string>((negative ? "-" : "") + std::string(from.substr(first)));
  value.trusted_ = trusted;
  return value;
}

Value Value::real(double from, bool trusted) {
  Value value;
  value.data_ = from;
  value.trusted_ = trusted;
  return value;
}

Value Value::text(Text from) {
  QUIRE_DCHECK(from.bytes.size() == from.marks.size(), "every byte has a mark");
  Value value;
  value.data_ = std::make_shared<const Text>(std::move(from));
  return value;
}

Value Value::text(std::string_view from, bool trusted) { return text(Text(from, trusted)); }

Value Value::list(std::shared_ptr<const List> from) {
  Value value;
  value.data_ = std::move(from);
  return value;
}

Value Value::dict(std::shared_ptr<const Dict> from) {
  Value value;
  value.data_ = std::move(from);
  return value;
}

Value Value::space(Namespace* from) {
  Value value;
  value.data_ = from;
  return value;
}

Value Value::loop(LoopState* from) {
  Value value;
  value.data_ = from;
  return value;
}

Value Value::callable(const Callable* from) {
  Value value;
  value.data_ = from;
  return value;
}

Value::Kind Value::kind() const { return static_cast<Kind>(data_.index()); }

bool Value::is_number() const { return is_integer() || is(Kind::kFloat) || is(Kind::kBigInt); }

bool Value::is_integer() const { return is(Kind::kInt) || is(Kind::kBool); }

bool Value::is_trusted() const { return is(Kind::kText) ? as_text().is_trusted() : trusted_; }

bool Value::truth() const {
  switch (kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
      return as_bool();
    case Kind::kInt:
      return as_int() != 0;
    case Kind::kFloat:
      return as_double() != 0.0;
    case Kind::kText:
      return !as_text().empty();
    case Kind::kList:
      return !as_list().items.empty();
    case Kind::kDict:
      return !as_dict().items.empty();
    case Kind::kNamespace:
    case Kind::kLoop:
    case Kind::kCallable:
    case Kind::kBigInt:
      return true;
  }
  return false;
}

const std::string& Value::undefined_what() const {
  static const std::string unnamed = "a value";
  const auto& what = std::get<Undefined>(data_).what;
  return what == nullptr ? unnamed : *what;
}

std::int64_t Value::as_int() const {
  return is(Kind::kBool) ? std::int64_t{as_bool()} : std::get<std::int64_t>(data_);
}

double Value::as_double() const {
  if (is(Kind::kBigInt)) return std::strtod(as_digits().c_str(), nullptr);
  return is(Kind::kFloat) ? std::get<double>(data_) : static_cast<double>(as_int());
}

const Value* Dict::find(const Value& key) const {
  const auto found = std::find_if(
      items.begin(), items.end(), [&](const auto& item) { return same_key(item.first, key); });
  return found == items.end() ? nullptr : &found->second;
}

const Value* Dict::find(std::string_view key) const {
  const auto found = std::find_if(items.begin(), items.end(), [&](const auto& item) {
    return item.first.is(Value::Kind::kText) && item.first.as_text().bytes == key;
  });
  return found == items.end() ? nullptr : &found->second;
}

void Dict::set(Value key, Value value) {
  const auto found = std::find_if(
      items.begin(), items.end(), [&](const auto& item) { return same_key(item.first, key); });
  if (found == items.end()) {
    items.emplace_back(std::move(key), std::move(value));
  } else {
    found->second = std::move(value);
  }
}

Result<Value> make_list(std::vector<Value> items, bool is_tuple) {
  auto list = std::make_shared<List>();
  list->items = std::move(items);
  list->is_tuple = is_tuple;
  for (const Value& item : list->items) list->depth = std::max(list->depth, depth_of(item) + 1);
  if (list->depth > kMaxValueDepth) return too_deep();
  return Value::list(std::move(list));
}

Result<Value> make_dict(Dict dict) {
  dict.depth = 1;
  for (const auto& [key, value] : dict.items) {
    dict.depth = std::max(dict.depth, std::max(depth_of(key), depth_of(value)) + 1);
  }
  if (dict.depth > kMaxValueDepth) return too_deep();
  return Value::dict(std::make_shared<const Dict>(std::move(dict)));
}

std::string_view type_name(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kUndefined:
      return "undefined";
    case Value::Kind::kNone:
      return "none";
    case Value::Kind::kBool:
      return "bool";
    case Value::Kind::kInt:
    case Value::Kind::kBigInt:
      return "int";
    case Value::Kind::kFloat:
      return "float";
    case Value::Kind::kText:
      return "string";
    case Value::Kind::kList:
      return value.as_list().is_tuple ? "tuple" : "list";
    case Value::Kind::kDict:
      return "dictionary";
    case Value::Kind::kNamespace:
      return "namespace";
    case Value::Kind::kLoop:
      return "loop";
    case Value::Kind::kCallable:
      return "function";
  }
  return "value";
}

bool is_hashable(const Value& value) {
  return value.is(Value::Kind::kText) || value.is(Value::Kind::kNone) || value.is_number();
}

bool same_key(const Value& a, const Value& b) {
  if (a.is(Value::Kind::kText) && b.is(Value::Kind::kText)) {
    return a.as_text().bytes == b.as_text().bytes;
  }
  if (a.is_integer() && b.is_integer()) return a.as_int() == b.as_int();
  const bool is_big = a.is(Value::Kind::kBigInt);
  if (is_big && b.is(Value::Kind::kBigInt)) return a.as_digits() == b.as_digits();
  if ((is_big && b.is_integer()) || (a.is_integer() && b.is(Value::Kind::kBigInt))) return false;
  if (a.is_number() && b.is_number()) return a.as_double() == b.as_double();
  return a.is(Value::Kind::kNone) && b.is(Value::Kind::kNone);
}

}  // namespace quire::chat
