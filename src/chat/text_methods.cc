#include "chat/text_methods.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/format.h"
#include "chat/text_search.h"

namespace quire::chat {
namespace {

using Kind = Value::Kind;

// What a part of a text costs that becomes a value of its own.
constexpr std::size_t kPartSteps = 4;

struct MethodCall {
  const Text& self;
  std::string_view name;
  const CallArguments& arguments;
  Runtime* runtime;

  [[nodiscard]] Budget* budget() const { return &runtime->budget; }
};

// strip(chars): whitespace, or any of the characters of a string.
Result<Value> strip_method(const MethodCall& call) {
  QUIRE_TRY(call.arguments.check(call.name, 0, {"chars"}));
  const Side side = call.name == "strip"    ? Side::kBoth
                    : call.name == "lstrip" ? Side::kLeft
                                            : Side::kRight;
  const Value* chars = call.arguments.find(0, "chars");
  if (chars == nullptr || chars->is(Kind::kNone)) {
    return Value::text(strip(call.self, side, std::nullopt));
  }
  QUIRE_ASSIGN(const Text characters, text_argument(call.arguments, 0, "chars", Text()));
  return Value::text(strip(call.self, side, characters.bytes));
}

Result<Value> list_of_texts(std::vector<Text> texts, bool is_tuple = false) {
  std::vector<Value> items;
  items.reserve(texts.size());
  for (Text& text : texts) items.push_back(Value::text(std::move(text)));
  return make_list(std::move(items), is_tuple);
}

// split(sep, maxsplit) and rsplit, which differ only when there is a limit.
Result<Value> split_method(const MethodCall& call) {
  QUIRE_TRY(call.arguments.check(call.name, 0, {"sep", "maxsplit"}));
  QUIRE_ASSIGN(const std::int64_t most, integer_argument(call.arguments, 1, "maxsplit", -1));
  const bool from_right = call.name == "rsplit";
  const Value* separator = call.arguments.find(0, "sep");
  if (separator == nullptr || separator->is(Kind::kNone)) {
    QUIRE_TRY(call.budget()->spend(kPartSteps * count_words(call.self.bytes)));
    return list_of_texts(from_right ? split_words_from_right(call.self, most)
                                    : split_words(call.self, most));
  }
  QUIRE_ASSIGN(const Text text, text_argument(call.arguments, 0, "sep", Text()));
  if (text.empty()) return invalid_argument("split needs a separator that is not empty");
  QUIRE_TRY(
      call.budget()->spend(kPartSteps * TextSearch(text.bytes).count(call.self.bytes, SIZE_MAX)));
  return list_of_texts(from_right ? split_from_right(call.self, text.bytes, most)
                                  : split(call.self, text.bytes, most));
}

Result<Value> split_lines_method(const MethodCall& call) {
  QUIRE_TRY(call.arguments.check(call.name, 0, {"keepends"}));
  QUIRE_TRY(call.budget()->spend(kPartSteps * count_lines(call.self.bytes)));
  return list_of_texts(split_lines(call.self, flag_argument(call.arguments, 0, "keepends", false)));
}

// The part of a text that the arguments start and end are about, counted in characters; nothing
// where it begins behind the end of the text.
Result<std::optional<std::pair<std::size_t, std::size_t>>> window(const MethodCall& call) {
  using Window = std::optional<std::pair<std::size_t, std::size_t>>;
  const Value* start = call.arguments.find(1, "start");
  const Value* end = call.arguments.find(2, "end");
  const auto is_given = [](const Value* v) { return v != nullptr && !v->is(Kind::kNone); };
  if (!is_given(start) && !is_given(end)) return Window({0, call.self.size()});
  const std::vector<std::size_t> starts = code_point_starts(call.self.bytes);
  const auto length = static_cast<std::int64_t>(starts.size()) - 1;
  std::array<std::int64_t, 2> bounds = {0, length};
  for (std::size_t i = 0; i < 2; ++i) {
    const Value* given = i == 0 ? start : end;
    if (!is_given(given)) continue;
    if (!given->is_integer()) return misused(*given, "cannot be a place in a string");
    bounds[i] = given->as_int();
    if (bounds[i] < 0) bounds[i] = bounds[i] < -length ? 0 : bounds[i] + length;
  }
  if (bounds[0] > length || bounds[1] < bounds[0]) return Window();
  return Window({starts[static_cast<std::size_t>(bounds[0])],
                 starts[static_cast<std::size_t>(std::min(bounds[1], length))]});
}

// startswith and endswith take one string or a tuple of them.
Result<Value> affix_method(const MethodCall& call) {
  QUIRE_TRY(call.arguments.check(call.name, 1, {"prefix", "start", "end"}));
  const Value& affixes = *call.arguments.find(0, "prefix");
  std::vector<Value> candidates = {affixes};
  if (affixes.is(Kind::kList) && affixes.as_list().is_tuple) candidates = affixes.as_list().items;
  QUIRE_ASSIGN(const auto part, window(call));
  for (const Value& candidate : candidates) {
    if (!candidate.is(Kind::kText)) return misused(candidate, "is not a string");
    if (!part) continue;
    const std::string_view affix = candidate.as_text().bytes;
    QUIRE_TRY(call.budget()->spend_text(affix.size()));
    const std::string_view text =
        std::string_view(call.self.bytes).substr(part->first, part->second - part->first);
    if (call.name == "startswith" ? text.starts_with(affix) : text.ends_with(affix)) {
      return Value::boolean(true);
    }
  }
  return Value::boolean(false);
}

// The size of the result is known before it is made, so a hostile one is never made.
Result<Value> replace_method(const MethodCall& call) {
  QUIRE_TRY(call.arguments.check("replace", 2, {"old", "new", "count"}));
  QUIRE_ASSIGN(const Text from, text_argument(call.arguments, 0, "old", Text()));
  QUIRE_ASSIGN(const Text to, text_argument(call.arguments, 1, "new", Text()));
  QUIRE_ASSIGN(const std::int64_t most, integer_argument(call.arguments, 2, "count", -1));
  const std::size_t limit = most < 0 ? SIZE_MAX : static_cast<std::size_t>(most);
  const std::size_t found = from.empty() ? std::min(limit, call.self.size() + 1)
                                         : TextSearch(from.bytes).count(call.self.bytes, limit);
  QUIRE_TRY(call.budget()->make_text(call.self.size() + found * to.size()));
  QUIRE_TRY(call.budget()->spend(found / 4));
  return Value::text(replace(call.self, from.bytes, to, most));
}

// Places are counted in characters, as Python counts them, not in bytes.
Result<Value> find_method(const MethodCall& call) {
  QUIRE_TRY(call.arguments.check(call.name, 1, {"sub", "start", "end"}));
  QUIRE_ASSIGN(const Text wanted, text_argument(call.arguments, 0, "sub", Text()));
  QUIRE_ASSIGN(const auto part, window(call));
  const TextSearch search(wanted.bytes);
  std::size_t found = std::string::npos;
  if (part) {
    const auto text =
        std::string_view(call.self.bytes).substr(part->first, part->second - part->first);
    found = call.name.starts_with('r') ? search.find_last(text, text.size()) : search.find(text);
    if (found != std::string::npos) found += part->first;
  }
  if (found == std::string::npos) {
    if (call.name.ends_with("index")) return invalid_argument("a substring was not found");
    return Value::integer(-1);
  }
  return Value::integer(count_code_points(std::string_view(call.self.bytes).substr(0, found)));
}

Result<Value> count_method(const MethodCall& call) {
  QUIRE_TRY(call.arguments.check("count", 1, {"sub", "start", "end"}));
  QUIRE_ASSIGN(const Text wanted, text_argument(call.arguments, 0, "sub", Text()));
  QUIRE_ASSIGN(const auto part, window(call));
  if (!part) return Value::integer(0);
  const auto text =
      std::string_view(call.self.bytes).substr(part->first, part->second - part->first);
  if (wanted.empty()) return Value::integer(count_code_points(text) + 1);
  return Value::integer(static_cast<std::int64_t>(TextSearch(wanted.bytes).count(text, SIZE_MAX)));
}

// (before, separator, after); without the separator the text is at the end that is searched last.
Result<Value> partition_method(const MethodCall& call) {
  QUIRE_TRY(call.arguments.check(call.name, 1, {"sep"}));
  QUIRE_ASSIGN(const Text separator, text_argument(call.arguments, 0, "sep", Text()));
  if (separator.empty()) return invalid_argument("partition needs a separator that is not empty");
  const bool from_right = call.name == "rpartition";
  const Text& self = call.self;
  const TextSearch search(separator.bytes);
  const std::size_t found =
      from_right ? search.find_last(self.bytes, self.size()) : search.find(self.bytes);
  std::vector<Text> parts(3);
  if (found == std::string::npos) {
    parts[from_right ? 2 : 0] = self;
  } else {
    parts[0] = self.slice(0, found);
    parts[1] = self.slice(found, found + separator.size());
    parts[2] = self.slice(found + separator.size(), self.size());
  }
  return list_of_texts(std::move(parts), true);
}

// The separator keeps its own trust: a template may put its words between a user's.
Result<Value> join_method(const MethodCall& call) {
  QUIRE_TRY(call.arguments.check("join", 1, {"iterable"}));
  QUIRE_ASSIGN(const std::vector<Value> items,
               items_of(*call.arguments.find(0, "iterable"), call.budget()));
  std::size_t size = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!items[i].is(Kind::kText)) return misused(items[i], "cannot be joined");
    size += items[i].as_text().size() + (i > 0 ? call.self.size() : 0);
    QUIRE_TRY(call.budget()->check_text(size));
  }
  QUIRE_TRY(call.budget()->make_text(size));
  Text out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out.append(call.self);
    out.append(items[i].as_text());
  }
  return Value::text(std::move(out));
}

Result<Value> remove_affix(const MethodCall& call) {
  QUIRE_TRY(call.arguments.check(call.name, 1, {"affix"}));
  QUIRE_ASSIGN(const Text affix, text_argument(call.arguments, 0, "affix", Text()));
  const Text& self = call.self;
  const std::string_view text = self.bytes;
  if (call.name == "removeprefix" && text.starts_with(affix.bytes)) {
    return Value::text(self.slice(affix.size(), self.size()));
  }
  if (call.name == "removesuffix" && text.ends_with(affix.bytes)) {
    return Value::text(self.slice(0, self.size() - affix.size()));
  }
  return Value::text(self);
}

Text repeated(const Text& fill, std::int64_t count) {
  Text out;
  const auto size = static_cast<std::size_t>(std::max<std::int64_t>(count, 0)) * fill.size();
  out.bytes.reserve(size);
  out.marks.reserve(size);
  while (out.size() < size) {
    out.bytes += fill.bytes;
    out.marks += fill.marks;
  }
  return out;
}

// center, ljust, rjust and zfill.
Result<Value> pad_method(const MethodCall& call) {
  const bool is_zfill = call.name == "zfill";
  QUIRE_TRY(call.arguments.check(call.name, 1, {"width", "fillchar"}));
  QUIRE_ASSIGN(const std::int64_t width, integer_argument(call.arguments, 0, "width", 0));
  QUIRE_ASSIGN(const Text fill,
               text_argument(call.arguments, 1, "fillchar", Text(is_zfill ? "0" : " ", false)));
  if (count_code_points(fill.bytes) != 1) {
    return invalid_argument("the fill character must be one character");
  }
  const std::int64_t missing = width - count_code_points(call.self.bytes);
  if (missing <= 0) return Value::text(call.self);
  // Python's center puts the odd one on the left of even widths.
  const std::int64_t left = call.name == "ljust"    ? 0
                            : call.name == "center" ? missing / 2 + (missing & width & 1)
                                                    : missing;
  QUIRE_TRY(call.budget()->check_text(static_cast<std::size_t>(missing)));
  QUIRE_TRY(
      call.budget()->make_text(call.self.size() + static_cast<std::size_t>(missing) * fill.size()));
  Text out;
  std::size_t lead = 0;
  if (is_zfill && !call.self.empty() && (call.self.bytes[0] == '-' || call.self.bytes[0] == '+')) {
    lead = 1;
  }
  out.append(call.self.slice(0, lead));
  out.append(repeated(fill, left));
  out.append(call.self.slice(lead, call.self.size()));
  out.append(repeated(fill, missing - left));
  return Value::text(std::move(out));
}

Result<Value> expand_tabs(const MethodCall& call) {
  QUIRE_TRY(call.arguments.check(call.name, 0, {"tabsize"}));
  QUIRE_ASSIGN(const std::int64_t size, integer_argument(call.arguments, 0, "tabsize", 8));
  if (size > 1000) return invalid_argument("expandtabs: the size is too large");
  const auto tabs =
      static_cast<std::size_t>(std::count(call.self.bytes.begin(), call.self.bytes.end(), '\t'));
  const auto width = static_cast<std::size_t>(std::max<std::int64_t>(size, 0));
  QUIRE_TRY(call.budget()->make_text(call.self.size() + tabs * width));
  Text out;
  std::size_t column = 0;
  for (std::size_t at = 0; at < call.self.size(); ++at) {
    const char c = call.self.bytes[at];
    if (c == '\t') {
      const std::size_t spaces = width == 0 ? 0 : width - column % width;
      out.append(std::string(spaces, ' '), false);
      column += spaces;
      continue;
    }
    out.append(call.self.slice(at, at + 1));
    if (c == '\n' || c == '\r') {
      column = 0;
    } else if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80U) {
      ++column;
    }
  }
  return Value::text(std::move(out));
}

Result<Value> case_method(const MethodCall& call) {
  QUIRE_TRY(call.arguments.check(call.name, 0, {}));
  constexpr std::array<std::pair<std::string_view, LetterCase>, 6> kCases = {
      {{"upper", LetterCase::kUpper},
       {"lower", LetterCase::kLower},
       {"title", LetterCase::kTitle},
       {"capitalize", LetterCase::kCapitalized},
       {"swapcase", LetterCase::kSwapped},
       {"casefold", LetterCase::kFolded}}};
  for (const auto& [name, wanted] : kCases) {
    if (name == call.name) return Value::text(change_case(call.self, wanted));
  }
  return Value::text(call.self);
}

Result<Value> class_method(const MethodCall& call) {
  QUIRE_TRY(call.arguments.check(call.name, 0, {}));
  return Value::boolean(is_of_class(call.self.bytes, call.name));
}

Result<Value> format_method(const MethodCall& call) {
  return format_braces(call.self, call.arguments, call.runtime);
}

struct TextMethod {
  std::string_view name;
  Result<Value> (*function)(const MethodCall& call);
};

constexpr std::array<TextMethod, 43> kMethods = {{
    {"capitalize", case_method},
    {"casefold", case_method},
    {"center", pad_method},
    {"count", count_method},
    {"endswith", affix_method},
    {"expandtabs", expand_tabs},
    {"find", find_method},
    {"format", format_method},
    {"index", find_method},
    {"isalnum", class_method},
    {"isalpha", class_method},
    {"isascii", class_method},
    {"isdecimal", class_method},
    {"isdigit", class_method},
    {"isidentifier", class_method},
    {"islower", class_method},
    {"isnumeric", class_method},
    {"isprintable", class_method},
    {"isspace", class_method},
    {"istitle", class_method},
    {"isupper", class_method},
    {"join", join_method},
    {"ljust", pad_method},
    {"lower", case_method},
    {"lstrip", strip_method},
    {"partition", partition_method},
    {"removeprefix", remove_affix},
    {"removesuffix", remove_affix},
    {"replace", replace_method},
    {"rfind", find_method},
    {"rindex", find_method},
    {"rjust", pad_method},
    {"rpartition", partition_method},
    {"rsplit", split_method},
    {"rstrip", strip_method},
    {"split", split_method},
    {"splitlines", split_lines_method},
    {"startswith", affix_method},
    {"strip", strip_method},
    {"swapcase", case_method},
    {"title", case_method},
    {"upper", case_method},
    {"zfill", pad_method},
}};

const TextMethod* find_method_named(std::string_view name) {
  for (const TextMethod& method : kMethods) {
    if (!method.name.empty() && method.name == name) return &method;
  }
  return nullptr;
}

}  // namespace

bool is_text_method(std::string_view name) { return find_method_named(name) != nullptr; }

Result<Value> call_text_method(const Text& self,
                               std::string_view name,
                               const CallArguments& arguments,
                               Runtime* runtime) {
  const TextMethod* method = find_method_named(name);
  if (method == nullptr) {
    return invalid_argument("the string method '" + std::string(name.substr(0, 40)) +
                            "' is not supported");
  }
  return method->function({self, name, arguments, runtime});
}

}  // namespace quire::chat
