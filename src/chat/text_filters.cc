#include "chat/text_filters.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "chat/format.h"

namespace quire::chat {
namespace {

using Kind = Value::Kind;

Result<Value> cased(const Value& value,
                    const CallArguments& arguments,
                    Runtime* runtime,
                    LetterCase wanted) {
  QUIRE_TRY(arguments.check("this filter", 0, {}));
  QUIRE_ASSIGN(const Text text, to_text(value, &runtime->budget));
  return Value::text(change_case(text, wanted));
}

constexpr std::string_view kSpecial = "&<>'\"";
constexpr std::array<std::string_view, 5> kEntities = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};

Result<Text> escaped(const Text& text, Budget* budget) {
  std::size_t size = text.size();
  for (const char c : text.bytes) {
    if (kSpecial.find(c) != std::string_view::npos) size += 5;
  }
  QUIRE_TRY(budget->make_text(size));
  Text out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t special = kSpecial.find(text.bytes[i]);
    if (special == std::string_view::npos) {
      out.append(text.slice(i, i + 1));
    } else {
      out.append(kEntities[special], text.marks[i] == Text::kTrusted);
    }
  }
  return out;
}

// Percent signs and digits for all that a URL has other uses for.
Result<Text> url_quoted(const Text& text, bool is_query, Budget* budget) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~";
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  QUIRE_TRY(budget->make_text(3 * text.size()));
  Text out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text.bytes[i];
    const bool trusted = text.marks[i] == Text::kTrusted;
    if (kPlain.find(c) != std::string_view::npos || (c == '/' && !is_query)) {
      out.append(std::string_view(&c, 1), trusted);
    } else if (c == ' ' && is_query) {
      out.append("+", trusted);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out.append(std::string("%") + kDigits[byte / 16] + kDigits[byte % 16], trusted);
    }
  }
  return out;
}

// The value with the keys of its dictionaries in order, as pprint shows them.
Result<Value> with_sorted_keys(const Value& value, Budget* budget) {
  QUIRE_TRY(budget->spend());
  if (value.is(Kind::kList)) {
    std::vector<Value> items;
    for (const Value& item : value.as_list().items) {
      QUIRE_ASSIGN(Value sorted, with_sorted_keys(item, budget));
      items.push_back(std::move(sorted));
    }
    return make_list(std::move(items), value.as_list().is_tuple);
  }
  if (!value.is(Kind::kDict)) return value;
  Dict dict;
  for (const auto& [key, item] : value.as_dict().items) {
    if (!key.is(Kind::kText)) return value;
    QUIRE_ASSIGN(Value sorted, with_sorted_keys(item, budget));
    dict.items.emplace_back(key, std::move(sorted));
  }
  std::sort(dict.items.begin(), dict.items.end(), [](const auto& a, const auto& b) {
    return a.first.as_text().bytes < b.first.as_text().bytes;
  });
  return make_dict(std::move(dict));
}

}  // namespace

Result<Value> trim_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_TRY(arguments.check("trim", 0, {"chars"}));
  QUIRE_ASSIGN(const Text text, to_text(value, &runtime->budget));
  const Value* chars = arguments.find(0, "chars");
  if (chars == nullptr || chars->is(Kind::kNone)) {
    return Value::text(strip(text, Side::kBoth, std::nullopt));
  }
  QUIRE_ASSIGN(const Text characters, text_argument(arguments, 0, "chars", Text()));
  return Value::text(strip(text, Side::kBoth, characters.bytes));
}

Result<Value> upper_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  return cased(value, arguments, runtime, LetterCase::kUpper);
}

Result<Value> lower_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  return cased(value, arguments, runtime, LetterCase::kLower);
}

// Words begin after spaces, hyphens and opening brackets, and not after every sign as in str.title.
Result<Value> title_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_TRY(arguments.check("title", 0, {}));
  QUIRE_ASSIGN(const Text text, to_text(value, &runtime->budget));
  const auto ends_word = [](char32_t c) {
    return is_python_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
  };
  Text out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    const bool is_between = ends_word(decode_utf8(text.bytes, at).code_point);
    while (end < text.size()) {
      const DecodedCodePoint decoded = decode_utf8(text.bytes, end);
      if (ends_word(decoded.code_point) != is_between) break;
      end += decoded.length;
    }
    const Text word = text.slice(at, end);
    out.append(is_between ? word : change_case(word, LetterCase::kCapitalized));
    at = end;
  }
  return Value::text(std::move(out));
}

Result<Value> capitalize_filter(const Value& value,
                                const CallArguments& arguments,
                                Runtime* runtime) {
  return cased(value, arguments, runtime, LetterCase::kCapitalized);
}

Result<Value> center_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_TRY(arguments.check("center", 0, {"width"}));
  QUIRE_ASSIGN(Text text, to_text(value, &runtime->budget));
  QUIRE_ASSIGN(const std::int64_t width, integer_argument(arguments, 0, "width", 80));
  CallArguments centered;
  centered.positional.push_back(Value::integer(width));
  return call_method(Value::text(std::move(text)), "center", centered, runtime);
}

// The first line stays as it is unless `first`, empty lines unless `blank`.
Result<Value> indent_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
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

Result<Value> wordcount_filter(const Value& value,
                               const CallArguments& arguments,
                               Runtime* runtime) {
  QUIRE_TRY(arguments.check("wordcount", 0, {}));
  QUIRE_ASSIGN(const Text text, to_text(value, &runtime->budget));
  return Value::integer(static_cast<std::int64_t>(count_runs_of_letters(text.bytes)));
}

Result<Value> format_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_ASSIGN(const Text text, to_text(value, &runtime->budget));
  if (arguments.keywords.empty()) {
    QUIRE_ASSIGN(const Value values, make_list(arguments.positional, true));
    return format_percent(text, values, &runtime->budget);
  }
  if (!arguments.positional.empty()) {
    return invalid_argument("format takes positional or named arguments, not both");
  }
  Dict dict;
  for (const auto& [name, argument] : arguments.keywords) {
    dict.set(Value::text(name, true), argument);
  }
  QUIRE_ASSIGN(const Value values, make_dict(std::move(dict)));
  return format_percent(text, values, &runtime->budget);
}

// HTML escaping, which templates for people use and a few chat templates inherited.
Result<Value> escape_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_TRY(arguments.check("escape", 0, {}));
  QUIRE_ASSIGN(const Text text, to_text(value, &runtime->budget));
  QUIRE_ASSIGN(Text out, escaped(text, &runtime->budget));
  return Value::text(std::move(out));
}

// Members of values that are no keys.
Result<Value> attr_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_TRY(arguments.check("attr", 1, {"name"}));
  QUIRE_ASSIGN(const Text name, text_argument(arguments, 0, "name", Text()));
  if (value.is(Kind::kDict)) return Value::undefined("'" + name.bytes.substr(0, 40) + "'");
  return attribute_of(value, name.bytes, runtime);
}

// Cut after a whole word where the text is longer than the length and the leeway.
Result<Value> truncate_filter(const Value& value,
                              const CallArguments& arguments,
                              Runtime* runtime) {
  QUIRE_TRY(arguments.check("truncate", 0, {"length", "killwords", "end", "leeway"}));
  QUIRE_ASSIGN(const Text text, to_text(value, &runtime->budget));
  QUIRE_ASSIGN(const std::int64_t length, integer_argument(arguments, 0, "length", 255));
  QUIRE_ASSIGN(const Text end, text_argument(arguments, 2, "end", Text("...", true)));
  const Value* given = arguments.find(3, "leeway");
  const bool has_leeway = given != nullptr && !given->is(Kind::kNone);
  std::int64_t leeway = 5;
  if (has_leeway) {
    QUIRE_ASSIGN(leeway, integer_argument(arguments, 3, "leeway", 5));
  }
  const std::int64_t kept = length - count_code_points(end.bytes);
  if (kept < 0 || leeway < 0) return invalid_argument("truncate: the length is too small");
  const std::vector<std::size_t> starts = code_point_starts(text.bytes);
  const auto size = static_cast<std::int64_t>(starts.size()) - 1;
  if (size - leeway <= length) return Value::text(text);
  Text out = text.slice(0, starts[static_cast<std::size_t>(kept)]);
  if (!flag_argument(arguments, 1, "killwords", false)) {
    const std::size_t space = out.bytes.rfind(' ');
    if (space != std::string::npos) out = out.slice(0, space);
  }
  QUIRE_TRY(runtime->budget.make_text(out.size() + end.size()));
  out.append(end);
  return Value::text(std::move(out));
}

// A text, or the pairs of a dictionary or list as a query.
Result<Value> urlencode_filter(const Value& value,
                               const CallArguments& arguments,
                               Runtime* runtime) {
  QUIRE_TRY(arguments.check("urlencode", 0, {}));
  Budget* budget = &runtime->budget;
  if (!value.is(Kind::kDict) && !value.is(Kind::kList)) {
    QUIRE_ASSIGN(const Text text, to_text(value, budget));
    QUIRE_ASSIGN(Text quoted, url_quoted(text, false, budget));
    return Value::text(std::move(quoted));
  }
  std::vector<Value> pairs;
  if (value.is(Kind::kDict)) {
    QUIRE_ASSIGN(const Value items, call_method(value, "items", {}, runtime));
    pairs = items.as_list().items;
  } else {
    QUIRE_ASSIGN(pairs, items_of(value, budget));
  }
  Text out;
  for (const Value& pair : pairs) {
    QUIRE_ASSIGN(const std::vector<Value> sides, items_of(pair, budget));
    if (sides.size() != 2) return invalid_argument("urlencode takes a text or pairs");
    if (!out.empty()) out.append("&", false);
    for (std::size_t i = 0; i < 2; ++i) {
      QUIRE_ASSIGN(const Text text, to_text(sides[i], budget));
      QUIRE_ASSIGN(const Text quoted, url_quoted(text, true, budget));
      QUIRE_TRY(budget->check_text(out.size() + quoted.size()));
      if (i == 1) out.append("=", false);
      out.append(quoted);
    }
  }
  return Value::text(std::move(out));
}

// Without comments and tags, and with every run of whitespace as one space.
Result<Value> striptags_filter(const Value& value,
                               const CallArguments& arguments,
                               Runtime* runtime) {
  QUIRE_TRY(arguments.check("striptags", 0, {}));
  QUIRE_ASSIGN(Text text, to_text(value, &runtime->budget));
  for (const auto& [open, close] :
       {std::pair<std::string_view, std::string_view>("<!--", "-->"), {"<", ">"}}) {
    Text kept;
    std::size_t at = 0;
    while (true) {
      const std::size_t begin = text.bytes.find(open, at);
      const std::size_t end =
          begin == std::string::npos ? begin : text.bytes.find(close, begin + open.size());
      if (end == std::string::npos) break;
      kept.append(text.slice(at, begin));
      at = end + close.size();
    }
    kept.append(text.slice(at, text.size()));
    text = std::move(kept);
  }
  QUIRE_TRY(runtime->budget.spend(count_words(text.bytes)));
  Text out;
  for (const Text& word : split(text, std::nullopt, -1)) {
    if (!out.empty()) out.append(" ", false);
    out.append(word);
  }
  for (const auto& [entity, character] :
       {std::pair<std::string_view, std::string_view>("&lt;", "<"),
        {"&gt;", ">"},
        {"&#34;", "\""},
        {"&quot;", "\""},
        {"&#39;", "'"},
        {"&amp;", "&"}}) {
    out = replace(out, entity, Text(character, false), -1);
  }
  return Value::text(std::move(out));
}

Result<Value> filesizeformat_filter(const Value& value,
                                    const CallArguments& arguments,
                                    Runtime* runtime) {
  QUIRE_TRY(arguments.check("filesizeformat", 0, {"binary"}));
  if (!value.is_number()) return misused(value, "is not a size");
  const bool binary = flag_argument(arguments, 0, "binary", false);
  const double base = binary ? 1024 : 1000;
  const double bytes = value.as_double();
  if (bytes == 1) return Value::text("1 Byte", value.is_trusted());
  if (bytes < base) {
    const std::string count = std::to_string(static_cast<std::int64_t>(bytes));
    return Value::text(count + " Bytes", value.is_trusted());
  }
  double unit = base;
  std::string prefix;
  for (const char letter : std::string_view("kMGTPEZY")) {
    prefix = std::string(1, binary && letter == 'k' ? 'K' : letter) + (binary ? "iB" : "B");
    unit *= base;
    if (bytes < unit) break;
  }
  QUIRE_ASSIGN(Text text,
               format_value(Value::real(base * bytes / unit, value.is_trusted()),
                            ".1f",
                            value.is_trusted(),
                            &runtime->budget));
  text.append(" " + prefix, value.is_trusted());
  return Value::text(std::move(text));
}

Result<Value> xmlattr_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_TRY(arguments.check("xmlattr", 0, {"autospace"}));
  if (!value.is(Kind::kDict)) return misused(value, "has no attributes to write");
  Text out;
  for (const auto& [key, item] : value.as_dict().items) {
    if (item.is(Kind::kNone) || item.is(Kind::kUndefined)) continue;
    QUIRE_ASSIGN(const Text name, to_text(key, &runtime->budget));
    if (name.bytes.find_first_of(" \t\n\r\f\v/>=") != std::string::npos) {
      return invalid_argument("xmlattr: a name has a character that none may have");
    }
    QUIRE_ASSIGN(const Text text, to_text(item, &runtime->budget));
    QUIRE_ASSIGN(const Text escaped_name, escaped(name, &runtime->budget));
    QUIRE_ASSIGN(const Text escaped_text, escaped(text, &runtime->budget));
    if (!out.empty() || flag_argument(arguments, 0, "autospace", true)) out.append(" ", false);
    out.append(escaped_name);
    out.append("=\"", false);
    out.append(escaped_text);
    out.append("\"", false);
    QUIRE_TRY(runtime->budget.check_text(out.size()));
  }
  return Value::text(std::move(out));
}

// Values that fit in a line of 80 characters; others would be laid out over several.
Result<Value> pprint_filter(const Value& value, const CallArguments& arguments, Runtime* runtime) {
  QUIRE_TRY(arguments.check("pprint", 0, {}));
  QUIRE_ASSIGN(const Value sorted, with_sorted_keys(value, &runtime->budget));
  QUIRE_ASSIGN(const Value list, make_list({sorted}));
  QUIRE_ASSIGN(const Text text, to_text(list, &runtime->budget));
  if (count_code_points(text.bytes) > 82) {
    return invalid_argument("pprint of more than one line is not supported; use tojson");
  }
  return Value::text(text.slice(1, text.size() - 1));
}

}  // namespace quire::chat
