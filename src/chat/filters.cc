#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "chat/runtime.h"
#include "chat/sequence_filters.h"
#include "chat/text_filters.h"

// Filters of one value. Those that go through a list are in sequence_filters.cc.

namespace quire::chat {
namespace {

using Kind = Value::Kind;

Result<Value> length(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_TRY(arguments.check("length", 0, {}));
  QUIRE_ASSIGN(const std::int64_t count, length_of(value, &runtime->budget));
  return Value::integer(count);
}

// json.dumps' separators: (between items, after keys).
Status read_separators(const CallArguments& arguments, JsonStyle* style) {
  const Value* given = arguments.find(2, "separators");
  if (given == nullptr || given->is(Kind::kNone)) return ok_status();
  const bool is_pair = given->is(Kind::kList) && given->as_list().items.size() == 2 &&
                       given->as_list().items[0].is(Kind::kText) &&
                       given->as_list().items[1].is(Kind::kText);
  if (!is_pair) return invalid_argument("tojson: separators must be two strings");
  style->item_separator = given->as_list().items[0].as_text().bytes;
  style->key_separator = given->as_list().items[1].as_text().bytes;
  return ok_status();
}

// transformers' tojson, which is json.dumps and not Jinja's HTML-safe filter.
Result<Value> tojson(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_TRY(arguments.check("tojson", 0, {"ensure_ascii", "indent", "separators", "sort_keys"}));
  JsonStyle style;
  style.ascii = flag_argument(arguments, 0, "ensure_ascii", false);
  const Value* indent = arguments.find(1, "indent");
  if (indent != nullptr && !indent->is(Kind::kNone)) {
    QUIRE_ASSIGN(const std::int64_t width, integer_argument(arguments, 1, "indent", -1));
    if (width < 0 || width > 16) return invalid_argument("tojson: indent must be from 0 to 16");
    style.indent = static_cast<int>(width);
    style.item_separator = ",";
  }
  QUIRE_TRY(read_separators(arguments, &style));
  style.sort_keys = flag_argument(arguments, 3, "sort_keys", false);
  QUIRE_ASSIGN(Text text, to_json(value, style, &runtime->budget));
  QUIRE_TRY(runtime->budget.make_text(text.size()));
  return Value::text(std::move(text));
}

Result<Value> use_default(const Value& value, const CallArguments& arguments, Runtime*) {
  QUIRE_TRY(arguments.check("default", 0, {"default_value", "boolean"}));
  const bool boolean = flag_argument(arguments, 1, "boolean", false);
  if (!value.is(Kind::kUndefined) && !(boolean && !value.truth())) return value;
  const Value* fallback = arguments.find(0, "default_value");
  return fallback == nullptr ? Value::text("", true) : *fallback;
}

Result<Value> replace_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_ASSIGN(Text text, to_text(value, &runtime->budget));
  return call_method(Value::text(std::move(text)), "replace", arguments, runtime);
}

Result<Value> to_string(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_TRY(arguments.check("string", 0, {}));
  QUIRE_ASSIGN(Text text, to_text(value, &runtime->budget));
  return Value::text(std::move(text));
}

// The number a string spells, as float() reads it; nothing when it spells none.
std::optional<double> spelled_number(const Text& text) {
  std::string bytes = strip(text, Side::kBoth, std::nullopt).bytes;
  std::string lower = bytes;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  const std::size_t sign = lower.starts_with('-') || lower.starts_with('+') ? 1 : 0;
  const std::string word = lower.substr(sign);
  const double direction = lower.starts_with('-') ? -1.0 : 1.0;
  if (word == "inf" || word == "infinity") {
    return direction * std::numeric_limits<double>::infinity();
  }
  if (word == "nan") return std::numeric_limits<double>::quiet_NaN();
  const bool plain = bytes.find_first_not_of("0123456789+-.eE_") == std::string::npos;
  if (bytes.empty() || bytes.size() > 400 || !plain) return std::nullopt;
  for (std::size_t at = bytes.find('_'); at != std::string::npos; at = bytes.find('_', at)) {
    const auto is_digit_at = [&](std::size_t i) {
      return i < bytes.size() && bytes[i] >= '0' && bytes[i] <= '9';
    };
    if (at == 0 || !is_digit_at(at - 1) || !is_digit_at(at + 1)) return std::nullopt;
    bytes.erase(at, 1);
  }
  char* end = nullptr;
  const double number = std::strtod(bytes.c_str(), &end);
  if (end != bytes.c_str() + bytes.size()) return std::nullopt;
  return number;
}

// The integer a string spells in a base, as int() reads it; nothing when it spells none.
std::optional<Value> spelled_integer(const Text& text, std::int64_t base) {
  std::string bytes = strip(text, Side::kBoth, std::nullopt).bytes;
  std::string sign;
  if (bytes.starts_with('-')) sign = "-";
  if (bytes.starts_with('-') || bytes.starts_with('+')) bytes.erase(0, 1);
  const char mark = bytes.size() > 2 && bytes[0] == '0' ? bytes[1] : ' ';
  const std::int64_t marked = mark == 'x' || mark == 'X'   ? 16
                              : mark == 'o' || mark == 'O' ? 8
                              : mark == 'b' || mark == 'B' ? 2
                                                           : 10;
  if (marked != 10 && (base == marked || base == 0)) {
    base = marked;
    bytes.erase(0, bytes[2] == '_' ? 3 : 2);
  }
  if (base == 0) base = 10;
  std::string digits;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const bool is_inner = i > 0 && i + 1 < bytes.size() && bytes[i - 1] != '_';
    if (bytes[i] == '_' && is_inner) continue;
    digits += bytes[i];
  }
  if (digits.empty() || digits.size() > 4300 || base < 2 || base > 36) return std::nullopt;
  const bool is_decimal = digits.find_first_not_of("0123456789") == std::string::npos;
  if (base == 10) {
    if (!is_decimal) return std::nullopt;
    const std::size_t first = std::min(digits.find_first_not_of('0'), digits.size() - 1);
    return Value::digits(sign + digits.substr(first));
  }
  std::int64_t number = 0;
  const char* end = digits.data() + digits.size();
  const auto read = std::from_chars(digits.data(), end, number, static_cast<int>(base));
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return Value::integer(sign.empty() ? number : -number);
}

// Text that spells no number gives the default, not an error.
Result<Value> to_integer(const Value& value, const CallArguments& arguments, Runtime*) {
  QUIRE_TRY(arguments.check("int", 0, {"default", "base"}));
  const Value* given = arguments.find(0, "default");
  QUIRE_ASSIGN(const std::int64_t base, integer_argument(arguments, 1, "base", 10));
  const Value fallback = given == nullptr ? Value::integer(0) : *given;
  if (value.is(Kind::kUndefined)) return misused(value, "");
  if (value.is_integer()) return Value::integer(value.as_int(), value.is_trusted());
  if (value.is(Kind::kBigInt)) return value;
  std::optional<double> number;
  if (value.is(Kind::kFloat)) number = value.as_double();
  if (value.is(Kind::kText)) {
    if (auto integer = spelled_integer(value.as_text(), base)) return *integer;
    number = spelled_number(value.as_text());
  }
  constexpr double kLimit = 9.0e18;
  if (!number || !(std::fabs(*number) < kLimit)) return fallback;
  return Value::integer(static_cast<std::int64_t>(std::trunc(*number)));
}

Result<Value> to_float(const Value& value, const CallArguments& arguments, Runtime*) {
  QUIRE_TRY(arguments.check("float", 0, {"default"}));
  const Value* given = arguments.find(0, "default");
  if (value.is(Kind::kUndefined)) return misused(value, "");
  if (value.is_number()) return Value::real(value.as_double(), value.is_trusted());
  std::optional<double> number;
  if (value.is(Kind::kText)) number = spelled_number(value.as_text());
  if (number) return Value::real(*number);
  return given == nullptr ? Value::real(0.0) : *given;
}

Result<Value> absolute(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_TRY(arguments.check("abs", 0, {}));
  if (!value.is_number()) return misused(value, "has no absolute value");
  if (value.as_double() >= 0) return value;
  return arithmetic("*", value, Value::integer(-1, true), &runtime->budget);
}

Result<Value> round_filter(const Value& value, const CallArguments& arguments, Runtime*) {
  QUIRE_TRY(arguments.check("round", 0, {"precision", "method"}));
  if (!value.is_number()) return misused(value, "cannot be rounded");
  QUIRE_ASSIGN(const std::int64_t precision, integer_argument(arguments, 0, "precision", 0));
  QUIRE_ASSIGN(const Text method, text_argument(arguments, 1, "method", Text("common", true)));
  if (precision < -15 || precision > 15)
    return invalid_argument("round: the precision is too large");
  const bool trusted = value.is_trusted();
  const double scale = std::pow(10.0, static_cast<double>(precision));
  const double scaled = value.as_double() * scale;
  if (method.bytes == "ceil") return Value::real(std::ceil(scaled) / scale, trusted);
  if (method.bytes == "floor") return Value::real(std::floor(scaled) / scale, trusted);
  if (method.bytes != "common") return invalid_argument("round: there is no such method");
  if (value.is_number() && !value.is(Kind::kFloat)) {  // an integer stays one
    if (precision >= 0 || !value.is_integer()) return value;
    const double rounded = std::nearbyint(scaled) / scale;
    if (!(std::fabs(rounded) < 9.0e15)) return value;
    return Value::integer(static_cast<std::int64_t>(rounded), trusted);
  }
  if (precision < 0 || !std::isfinite(value.as_double())) {
    return Value::real(std::nearbyint(scaled) / scale, trusted);
  }
  // The digits of the exact value, as Python rounds, and not of its product with the scale.
  std::array<char, 400> buffer = {};
  const auto end = std::to_chars(buffer.data(),
                                 buffer.data() + buffer.size() - 1,
                                 value.as_double(),
                                 std::chars_format::fixed,
                                 static_cast<int>(precision));
  *end.ptr = '\0';
  return Value::real(std::strtod(buffer.data(), nullptr), trusted);
}

Result<Value> items_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_TRY(arguments.check("items", 0, {}));
  if (value.is(Kind::kUndefined)) return make_list({});
  if (!value.is(Kind::kDict)) return misused(value, "has no items");
  return call_method(value, "items", arguments, runtime);
}

// `safe` marks text as HTML, which means nothing here.
Result<Value> unchanged(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  return to_string(value, arguments, runtime);
}

struct NamedFilter {
  std::string_view name;
  FilterFunction function;
};

constexpr std::array<NamedFilter, 51> kFilters = {{
    {"abs", absolute},
    {"attr", attr_filter},
    {"batch", batch_filter},
    {"capitalize", capitalize_filter},
    {"center", center_filter},
    {"count", length},
    {"d", use_default},
    {"default", use_default},
    {"dictsort", dictsort_filter},
    {"e", escape_filter},
    {"escape", escape_filter},
    {"filesizeformat", filesizeformat_filter},
    {"first", first_filter},
    {"float", to_float},
    {"forceescape", escape_filter},
    {"format", format_filter},
    {"groupby", groupby_filter},
    {"indent", indent_filter},
    {"int", to_integer},
    {"items", items_filter},
    {"join", join_filter},
    {"last", last_filter},
    {"length", length},
    {"list", list_filter},
    {"lower", lower_filter},
    {"map", map_filter},
    {"max", max_filter},
    {"min", min_filter},
    {"pprint", pprint_filter},
    {"reject", reject_filter},
    {"rejectattr", rejectattr_filter},
    {"replace", replace_filter},
    {"reverse", reverse_filter},
    {"round", round_filter},
    {"safe", unchanged},
    {"select", select_filter},
    {"selectattr", selectattr_filter},
    {"slice", slice_filter},
    {"sort", sort_filter},
    {"string", to_string},
    {"striptags", striptags_filter},
    {"sum", sum_filter},
    {"title", title_filter},
    {"tojson", tojson},
    {"trim", trim_filter},
    {"truncate", truncate_filter},
    {"unique", unique_filter},
    {"upper", upper_filter},
    {"urlencode", urlencode_filter},
    {"wordcount", wordcount_filter},
    {"xmlattr", xmlattr_filter},
}};

}  // namespace

bool is_filter(std::string_view name) {
  return std::ranges::any_of(kFilters,
                             [name](const NamedFilter& filter) { return filter.name == name; });
}

Result<Value> apply_filter(const std::string& name,
                           const Value& value,
                           const CallArguments& arguments,
                           Runtime* runtime) {
  QUIRE_TRY(charge_call(value, arguments, &runtime->budget));
  for (const NamedFilter& filter : kFilters) {
    if (filter.name == name) return filter.function(value, arguments, runtime);
  }
  return invalid_argument("there is no filter '" + name + "'");
}

}  // namespace quire::chat
