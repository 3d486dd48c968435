#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "chat/runtime.h"

// Methods of strings, dictionaries and lists. Those that would change a value are known, so that a
// template that calls one is told so.

namespace quire::chat {
namespace {

using Kind = Value::Kind;

constexpr std::array<std::string_view, 28> kTextMethods = {
    "capitalize", "count",     "endswith",     "find",         "format",     "index", "isalnum",
    "isalpha",    "isdigit",   "islower",      "isspace",      "isupper",    "join",  "lower",
    "lstrip",     "partition", "removeprefix", "removesuffix", "replace",    "rfind", "rpartition",
    "rsplit",     "rstrip",    "split",        "splitlines",   "startswith", "strip", "title"};
constexpr std::array<std::string_view, 1> kMoreTextMethods = {"upper"};
constexpr std::array<std::string_view, 10> kDictMethods = {
    "clear", "copy", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values"};
constexpr std::array<std::string_view, 11> kListMethods = {"append",
                                                           "clear",
                                                           "copy",
                                                           "count",
                                                           "extend",
                                                           "index",
                                                           "insert",
                                                           "pop",
                                                           "remove",
                                                           "reverse",
                                                           "sort"};

template <typename Names>
bool is_one_of(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// strip(chars): whitespace, or any of the characters of a string.
Result<Value> strip_method(const Text& self, Side side, const CallArguments& arguments) {
  QUIRE_TRY(arguments.check("strip", 0, {"chars"}));
  const Value* chars = arguments.find(0, "chars");
  if (chars == nullptr || chars->is(Kind::kNone)) {
    return Value::text(strip(self, side, std::nullopt));
  }
  QUIRE_ASSIGN(const Text characters, text_argument(arguments, 0, "chars", Text()));
  return Value::text(strip(self, side, characters.bytes));
}

Result<Value> list_of_texts(std::vector<Text> texts, Budget* budget) {
  QUIRE_TRY(budget->spend(texts.size()));
  std::vector<Value> items;
  items.reserve(texts.size());
  for (Text& text : texts) items.push_back(Value::text(std::move(text)));
  return make_list(std::move(items));
}

// split(sep, maxsplit) and rsplit, which differ only when there is a limit.
Result<Value> split_method(const Text& self,
                           bool from_right,
                           const CallArguments& arguments,
                           Budget* budget) {
  QUIRE_TRY(arguments.check("split", 0, {"sep", "maxsplit"}));
  QUIRE_ASSIGN(const std::int64_t most, integer_argument(arguments, 1, "maxsplit", -1));
  const Value* separator = arguments.find(0, "sep");
  if (separator == nullptr || separator->is(Kind::kNone)) {
    if (from_right && most >= 0) {
      return invalid_argument("rsplit with a limit needs a separator here");
    }
    return list_of_texts(split(self, std::nullopt, most), budget);
  }
  QUIRE_ASSIGN(const Text text, text_argument(arguments, 0, "sep", Text()));
  if (text.empty()) return invalid_argument("split needs a separator that is not empty");
  return list_of_texts(
      from_right ? split_from_right(self, text.bytes, most) : split(self, text.bytes, most),
      budget);
}

// startswith and endswith take one string or a tuple of them.
Result<Value> affix_method(const Text& self, bool at_start, const CallArguments& arguments) {
  QUIRE_TRY(arguments.check(at_start ? "startswith" : "endswith", 1, {"prefix"}));
  const Value& affixes =
      arguments.positional.empty() ? arguments.keywords[0].second : arguments.positional[0];
  std::vector<Value> candidates = {affixes};
  if (affixes.is(Kind::kList) && affixes.as_list().is_tuple) candidates = affixes.as_list().items;
  for (const Value& candidate : candidates) {
    if (!candidate.is(Kind::kText)) return misused(candidate, "is not a string");
    const std::string_view affix = candidate.as_text().bytes;
    const std::string_view text = self.bytes;
    if (at_start ? text.starts_with(affix) : text.ends_with(affix)) return Value::boolean(true);
  }
  return Value::boolean(false);
}

// The size of the result is known before it is made, so a hostile one is never made.
Result<Value> replace_method(const Text& self, const CallArguments& arguments, Budget* budget) {
  QUIRE_TRY(arguments.check("replace", 2, {"old", "new", "count"}));
  QUIRE_ASSIGN(const Text from, text_argument(arguments, 0, "old", Text()));
  QUIRE_ASSIGN(const Text to, text_argument(arguments, 1, "new", Text()));
  QUIRE_ASSIGN(const std::int64_t most, integer_argument(arguments, 2, "count", -1));
  if (from.empty()) return invalid_argument("replace needs a text to look for that is not empty");
  std::size_t found = 0;
  for (std::size_t at = self.bytes.find(from.bytes); at != std::string::npos;
       at = self.bytes.find(from.bytes, at + from.size())) {
    ++found;
  }
  QUIRE_TRY(budget->make_text(self.size() + found * to.size()));
  return Value::text(replace(self, from.bytes, to, most));
}

// Places are counted in characters, as Python counts them, not in bytes.
Result<Value> find_method(const Text& self, std::string_view name, const CallArguments& arguments) {
  QUIRE_TRY(arguments.check(name, 1, {"sub"}));
  QUIRE_ASSIGN(const Text wanted, text_argument(arguments, 0, "sub", Text()));
  const std::size_t found =
      name == "rfind" ? self.bytes.rfind(wanted.bytes) : self.bytes.find(wanted.bytes);
  if (found == std::string::npos) {
    if (name == "index") return invalid_argument("a substring was not found");
    return Value::integer(-1);
  }
  return Value::integer(count_code_points(std::string_view(self.bytes).substr(0, found)));
}

Result<Value> count_method(const Text& self, const CallArguments& arguments) {
  QUIRE_TRY(arguments.check("count", 1, {"sub"}));
  QUIRE_ASSIGN(const Text wanted, text_argument(arguments, 0, "sub", Text()));
  if (wanted.empty()) return Value::integer(count_code_points(self.bytes) + 1);
  std::int64_t count = 0;
  for (std::size_t at = self.bytes.find(wanted.bytes); at != std::string::npos;
       at = self.bytes.find(wanted.bytes, at + wanted.size())) {
    ++count;
  }
  return Value::integer(count);
}

// (before, separator, after); without the separator the text is at the end that is searched last.
Result<Value> partition_method(const Text& self, bool from_right, const CallArguments& arguments) {
  QUIRE_TRY(arguments.check("partition", 1, {"sep"}));
  QUIRE_ASSIGN(const Text separator, text_argument(arguments, 0, "sep", Text()));
  if (separator.empty()) return invalid_argument("partition needs a separator that is not empty");
  const std::size_t found =
      from_right ? self.bytes.rfind(separator.bytes) : self.bytes.find(separator.bytes);
  std::array<Text, 3> parts;
  if (found == std::string::npos) {
    parts[from_right ? 2 : 0] = self;
  } else {
    parts[0] = self.slice(0, found);
    parts[1] = self.slice(found, found + separator.size());
    parts[2] = self.slice(found + separator.size(), self.size());
  }
  std::vector<Value> items;
  items.reserve(parts.size());
  for (Text& part : parts) items.push_back(Value::text(std::move(part)));
  return make_list(std::move(items), true);
}

// The separator keeps its own trust: a template may put its words between a user's.
Result<Value> join_method(const Text& self, const CallArguments& arguments, Budget* budget) {
  QUIRE_TRY(arguments.check("join", 1, {"iterable"}));
  const Value* list = arguments.find(0, "iterable");
  QUIRE_ASSIGN(const std::vector<Value> items, items_of(*list, budget));
  Text out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!items[i].is(Kind::kText)) return misused(items[i], "cannot be joined");
    QUIRE_TRY(budget->check_text(out.size() + self.size() + items[i].as_text().size()));
    if (i > 0) out.append(self);
    out.append(items[i].as_text());
  }
  QUIRE_TRY(budget->spend_text(out.size()));
  return Value::text(std::move(out));
}

Result<Value> remove_affix(const Text& self, bool at_start, const CallArguments& arguments) {
  QUIRE_TRY(arguments.check(at_start ? "removeprefix" : "removesuffix", 1, {"affix"}));
  QUIRE_ASSIGN(const Text affix, text_argument(arguments, 0, "affix", Text()));
  const std::string_view text = self.bytes;
  if (at_start && text.starts_with(affix.bytes)) {
    return Value::text(self.slice(affix.size(), self.size()));
  }
  if (!at_start && text.ends_with(affix.bytes)) {
    return Value::text(self.slice(0, self.size() - affix.size()));
  }
  return Value::text(self);
}

// isdigit() and its like, for ASCII; another character is not of the class.
Value classify(const Text& self, std::string_view name) {
  if (name == "isspace") {
    return Value::boolean(!self.empty() && strip(self, Side::kBoth, std::nullopt).empty());
  }
  const auto is_in = [&](char c) {
    const bool digit = c >= '0' && c <= '9';
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return name == "isdigit" ? digit : (name == "isalpha" ? letter : digit || letter);
  };
  if (name != "islower" && name != "isupper") {
    return Value::boolean(!self.empty() &&
                          std::all_of(self.bytes.begin(), self.bytes.end(), is_in));
  }
  const LetterCase wanted = name == "islower" ? LetterCase::kLower : LetterCase::kUpper;
  const LetterCase other = name == "islower" ? LetterCase::kUpper : LetterCase::kLower;
  return Value::boolean(change_case(self, wanted).bytes == self.bytes &&
                        change_case(self, other).bytes != self.bytes);
}

// The argument that a replacement field names: by place, by number or by keyword.
Result<const Value*> field_argument(std::string_view field,
                                    const CallArguments& arguments,
                                    std::size_t* next_place) {
  const bool is_number =
      !field.empty() && field.find_first_not_of("0123456789") == std::string_view::npos;
  if (field.empty() || is_number) {
    std::size_t place = *next_place;
    if (is_number) {
      std::from_chars(field.data(), field.data() + field.size(), place);
    } else {
      ++*next_place;
    }
    if (place < arguments.positional.size()) return &arguments.positional[place];
    return invalid_argument("format has no argument for a field");
  }
  for (const auto& [name, value] : arguments.keywords) {
    if (name == field) return &value;
  }
  return invalid_argument("format has no argument for {" + std::string(field.substr(0, 32)) +
                          "}; only plain fields are supported");
}

// str.format with plain fields: {}, {0} and {name}; {{ and }} stand for braces.
Result<Value> format_method(const Text& self, const CallArguments& arguments, Budget* budget) {
  Text out;
  std::size_t next_place = 0;
  for (std::size_t at = 0; at < self.size();) {
    const char c = self.bytes[at];
    const char next = at + 1 < self.size() ? self.bytes[at + 1] : '\0';
    if (c != '{' && c != '}') {
      const std::size_t end = std::min(self.bytes.find_first_of("{}", at), self.size());
      out.append(self.slice(at, end));
      at = end;
    } else if (c == next) {
      out.append(self.slice(at, at + 1));
      at += 2;
    } else {
      const std::size_t end = self.bytes.find('}', at);
      if (c == '}' || end == std::string::npos) {
        return invalid_argument("format: a brace stands alone");
      }
      const std::string_view field = std::string_view(self.bytes).substr(at + 1, end - at - 1);
      QUIRE_ASSIGN(const Value* argument, field_argument(field, arguments, &next_place));
      QUIRE_ASSIGN(const Text text, to_text(*argument, budget));
      out.append(text);
      at = end + 1;
    }
    QUIRE_TRY(budget->check_text(out.size()));
  }
  QUIRE_TRY(budget->spend_text(out.size()));
  return Value::text(std::move(out));
}

Result<Value> call_text_method(const Text& self,
                               const std::string& name,
                               const CallArguments& arguments,
                               Budget* budget) {
  QUIRE_TRY(budget->spend_text(self.size()));
  if (name == "strip") return strip_method(self, Side::kBoth, arguments);
  if (name == "lstrip") return strip_method(self, Side::kLeft, arguments);
  if (name == "rstrip") return strip_method(self, Side::kRight, arguments);
  if (name == "split" || name == "rsplit") {
    return split_method(self, name == "rsplit", arguments, budget);
  }
  if (name == "startswith" || name == "endswith") {
    return affix_method(self, name == "startswith", arguments);
  }
  if (name == "replace") return replace_method(self, arguments, budget);
  if (name == "find" || name == "rfind" || name == "index") {
    return find_method(self, name, arguments);
  }
  if (name == "count") return count_method(self, arguments);
  if (name == "join") return join_method(self, arguments, budget);
  if (name == "partition" || name == "rpartition") {
    return partition_method(self, name == "rpartition", arguments);
  }
  if (name == "removeprefix" || name == "removesuffix") {
    return remove_affix(self, name == "removeprefix", arguments);
  }
  if (name == "format") return format_method(self, arguments, budget);
  QUIRE_TRY(arguments.check(name, 0, {}));
  if (name == "upper") return Value::text(change_case(self, LetterCase::kUpper));
  if (name == "lower") return Value::text(change_case(self, LetterCase::kLower));
  if (name == "title") return Value::text(change_case(self, LetterCase::kTitle));
  if (name == "capitalize") return Value::text(change_case(self, LetterCase::kCapitalized));
  if (name == "splitlines") return list_of_texts(split_lines(self), budget);
  if (name.starts_with("is")) return classify(self, name);
  return invalid_argument("the string method '" + name + "' is not supported");
}

// Views of a dictionary are lists here; nothing can change under them.
Result<Value> call_dict_method(const Value& self,
                               const std::string& name,
                               const CallArguments& arguments,
                               Budget* budget) {
  const Dict& dict = self.as_dict();
  QUIRE_TRY(budget->spend(dict.items.size() / 16 + 1));
  if (name == "get") {
    QUIRE_TRY(arguments.check(name, 1, {"key", "default"}));
    const Value* value = dict.find(*arguments.find(0, "key"));
    const Value* fallback = arguments.find(1, "default");
    if (value != nullptr) return *value;
    return fallback == nullptr ? Value::none() : *fallback;
  }
  QUIRE_TRY(arguments.check(name, 0, {}));
  if (name == "copy") return self;
  QUIRE_TRY(budget->spend(dict.items.size()));
  std::vector<Value> items;
  for (const auto& [key, value] : dict.items) {
    if (name == "keys") {
      items.push_back(key);
    } else if (name == "values") {
      items.push_back(value);
    } else {
      QUIRE_ASSIGN(Value pair, make_list({key, value}, true));
      items.push_back(std::move(pair));
    }
  }
  return make_list(std::move(items));
}

Result<Value> call_list_method(const Value& self,
                               const std::string& name,
                               const CallArguments& arguments,
                               Budget* budget) {
  if (name == "copy") return self;
  QUIRE_TRY(arguments.check(name, 1, {"value"}));
  const Value& wanted = *arguments.find(0, "value");
  std::int64_t count = 0;
  const auto& items = self.as_list().items;
  for (std::size_t i = 0; i < items.size(); ++i) {
    QUIRE_ASSIGN(const bool same, equal(items[i], wanted, budget));
    if (same && name == "index") return Value::integer(static_cast<std::int64_t>(i));
    count += same ? 1 : 0;
  }
  if (name == "index") return invalid_argument("a value is not in the list");
  return Value::integer(count);
}

}  // namespace

bool is_method(const Value& self, std::string_view name) {
  if (self.is(Kind::kText)) {
    return is_one_of(kTextMethods, name) || is_one_of(kMoreTextMethods, name);
  }
  if (self.is(Kind::kDict)) return is_one_of(kDictMethods, name);
  return self.is(Kind::kList) && is_one_of(kListMethods, name);
}

Result<Value> call_method(const Value& self,
                          const std::string& name,
                          const CallArguments& arguments,
                          Runtime* runtime) {
  Budget* budget = &runtime->budget;
  if (self.is(Kind::kText)) return call_text_method(self.as_text(), name, arguments, budget);
  const bool is_dict = self.is(Kind::kDict);
  const bool reads = name == "copy" || (is_dict ? name == "get" || name == "items" ||
                                                      name == "keys" || name == "values"
                                                : name == "count" || name == "index");
  if (!reads) {
    return invalid_argument("'" + name + "' would change a value, which templates may not do");
  }
  return is_dict ? call_dict_method(self, name, arguments, budget)
                 : call_list_method(self, name, arguments, budget);
}

}  // namespace quire::chat
