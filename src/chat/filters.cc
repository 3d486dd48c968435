#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/runtime.h"
#include "chat/sequence_filters.h"

// Filters of one value. Those that go through a list are in sequence_filters.cc.

namespace quire::chat {
namespace {

using Kind = Value::Kind;

Result<Value> trim(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_TRY(arguments.check("trim", 0, {"chars"}));
  QUIRE_ASSIGN(const Text text, to_text(value, &runtime->budget));
  const Value* chars = arguments.find(0, "chars");
  if (chars == nullptr || chars->is(Kind::kNone)) {
    return Value::text(strip(text, Side::kBoth, std::nullopt));
  }
  QUIRE_ASSIGN(const Text characters, text_argument(arguments, 0, "chars", Text()));
  return Value::text(strip(text, Side::kBoth, characters.bytes));
}

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

Result<Value> cased(const Value& value,
                    const CallArguments& arguments,
                    Runtime* runtime,
                    LetterCase wanted) {
  QUIRE_TRY(arguments.check("this filter", 0, {}));
  QUIRE_ASSIGN(const Text text, to_text(value, &runtime->budget));
  return Value::text(change_case(text, wanted));
}

Result<Value> upper(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  return cased(value, arguments, runtime, LetterCase::kUpper);
}

Result<Value> lower(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  return cased(value, arguments, runtime, LetterCase::kLower);
}

Result<Value> title(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  return cased(value, arguments, runtime, LetterCase::kTitle);
}

Result<Value> capitalize(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  return cased(value, arguments, runtime, LetterCase::kCapitalized);
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
  const std::string bytes = strip(text, Side::kBoth, std::nullopt).bytes;
  const bool plain = bytes.find_first_not_of("0123456789+-.eE") == std::string::npos;
  if (bytes.empty() || bytes.size() > 400 || !plain) return std::nullopt;
  char* end = nullptr;
  const double number = std::strtod(bytes.c_str(), &end);
  if (end != bytes.c_str() + bytes.size()) return std::nullopt;
  return number;
}

// Text that spells no number gives the default, not an error.
Result<Value> to_integer(const Value& value, const CallArguments& arguments, Runtime*) {
  QUIRE_TRY(arguments.check("int", 0, {"default"}));
  const Value* given = arguments.find(0, "default");
  const Value fallback = given == nullptr ? Value::integer(0) : *given;
  if (value.is(Kind::kUndefined)) return misused(value, "");
  if (value.is_integer()) return Value::integer(value.as_int(), value.is_trusted());
  std::optional<double> number;
  if (value.is(Kind::kFloat)) number = value.as_double();
  if (value.is(Kind::kText)) number = spelled_number(value.as_text());
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
  const double scale = std::pow(10.0, static_cast<double>(precision));
  const double scaled = value.as_double() * scale;
  if (method.bytes == "ceil") return Value::real(std::ceil(scaled) / scale, value.is_trusted());
  if (method.bytes == "floor") return Value::real(std::floor(scaled) / scale, value.is_trusted());
  return Value::real(std::nearbyint(scaled) / scale, value.is_trusted());
}

// The first line stays as it is unless `first`, empty lines unless `blank`.
Result<Value> indent(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_TRY(arguments.check("indent", 0, {"width", "first", "blank"}));
  QUIRE_ASSIGN(Text text, to_text(value, &runtime->budget));
  Text margin;
  const Value* width = arguments.find(0, "width");
  if (width != nullptr && width->is(Kind::kText)) {
    margin = width->as_text();
  } else {
    QUIRE_ASSIGN(const std::int64_t count, integer_argument(arguments, 0, "width", 4));
    if (count > 1000) return invalid_argument("indent: the width is too large");
    margin =
        Text(std::string(static_cast<std::size_t>(std::max<std::int64_t>(count, 0)), ' '), true);
  }
  const bool first = flag_argument(arguments, 1, "first", false);
  const bool blank = flag_argument(arguments, 2, "blank", false);
  text.append("\n", false);  // the reference does so, that a last empty line is kept
  const std::vector<Text> lines = split_lines(text);
  QUIRE_TRY(runtime->budget.make_text(text.size() + lines.size() * margin.size()));
  Text out = first ? margin : Text();
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out.append("\n", false);
    if (i > 0 && (blank || !lines[i].empty())) out.append(margin);
    out.append(lines[i]);
  }
  return Value::text(std::move(out));
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

// HTML escaping, which templates for people use and a few chat templates inherited.
Result<Value> escape(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_TRY(arguments.check("escape", 0, {}));
  QUIRE_ASSIGN(const Text text, to_text(value, &runtime->budget));
  constexpr std::string_view kSpecial = "&<>'\"";
  constexpr std::array<std::string_view, 5> kEntities = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
  Text out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t special = kSpecial.find(text.bytes[i]);
    if (special == std::string_view::npos) {
      out.append(text.slice(i, i + 1));
    } else {
      out.append(kEntities[special], text.marks[i] == Text::kTrusted);
    }
  }
  QUIRE_TRY(runtime->budget.make_text(out.size()));
  return Value::text(std::move(out));
}

Result<Value> wordcount(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_TRY(arguments.check("wordcount", 0, {}));
  QUIRE_ASSIGN(const Text text, to_text(value, &runtime->budget));
  return Value::integer(static_cast<std::int64_t>(split(text, std::nullopt, -1).size()));
}

Result<Value> format(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  if (!value.is(Kind::kText) || !arguments.keywords.empty()) {
    return invalid_argument("format takes a string and positional arguments");
  }
  QUIRE_ASSIGN(const Value values, make_list(arguments.positional, true));
  return arithmetic("%", value, values, &runtime->budget);
}

struct NamedFilter {
  std::string_view name;
  FilterFunction function;
};

constexpr std::array<NamedFilter, 41> kFilters = {{
    {"abs", absolute},
    {"batch", batch_filter},
    {"capitalize", capitalize},
    {"count", length},
    {"d", use_default},
    {"default", use_default},
    {"dictsort", dictsort_filter},
    {"e", escape},
    {"escape", escape},
    {"first", first_filter},
    {"float", to_float},
    {"forceescape", escape},
    {"format", format},
    {"indent", indent},
    {"int", to_integer},
    {"items", items_filter},
    {"join", join_filter},
    {"last", last_filter},
    {"length", length},
    {"list", list_filter},
    {"lower", lower},
    {"map", map_filter},
    {"max", max_filter},
    {"min", min_filter},
    {"reject", reject_filter},
    {"rejectattr", rejectattr_filter},
    {"replace", replace_filter},
    {"reverse", reverse_filter},
    {"round", round_filter},
    {"safe", unchanged},
    {"select", select_filter},
    {"selectattr", selectattr_filter},
    {"sort", sort_filter},
    {"string", to_string},
    {"sum", sum_filter},
    {"title", title},
    {"tojson", tojson},
    {"trim", trim},
    {"unique", unique_filter},
    {"upper", upper},
    {"wordcount", wordcount},
}};

}  // namespace

Result<Value> apply_filter(const std::string& name,
                           const Value& value,
                           const CallArguments& arguments,
                           Runtime* runtime) {
  QUIRE_TRY(runtime->budget.spend());
  for (const NamedFilter& filter : kFilters) {
    if (filter.name == name) return filter.function(value, arguments, runtime);
  }
  return invalid_argument("there is no filter '" + name + "'");
}

}  // namespace quire::chat
