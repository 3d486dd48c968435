#include "calculator/python_methods.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "calculator/python_text.h"

namespace quire {
namespace {

using MaybeValue = std::optional<PythonValue>;

constexpr std::int64_t kMaxTextBytes = 16384;

PythonValue integer(std::int64_t value) { return BigInteger(value); }

std::optional<std::int64_t> as_int64(const PythonValue& value) {
  BigInteger storage;
  const BigInteger* number = as_integer(value, &storage);
  return number != nullptr ? number->to_int64() : std::nullopt;
}

// The text that an argument spells for a method of `self`: of its own kind; for bytes also a
// number.
std::optional<std::string> part_for(const PythonText& self, const PythonValue& argument) {
  if (const auto* text = std::get_if<PythonText>(&argument)) {
    if (text->is_bytes == self.is_bytes) return text->text;
    return std::nullopt;
  }
  const std::optional<std::int64_t> byte = self.is_bytes ? as_int64(argument) : std::nullopt;
  if (!byte || *byte < 0 || *byte > 255) return std::nullopt;
  return std::string(1, static_cast<char>(*byte));
}

// count, find, rfind, index and rindex.
MaybeValue search(const PythonText& self, std::string_view name, const PythonValue& argument) {
  const std::optional<std::string> part = part_for(self, argument);
  if (!part) return std::nullopt;
  if (name == "count") return integer(count_text(self.text, *part));
  const std::size_t found = name.starts_with('r') ? self.text.rfind(*part) : self.text.find(*part);
  if (found != std::string::npos) return integer(static_cast<std::int64_t>(found));
  if (name.ends_with("index")) return std::nullopt;
  return integer(-1);
}

// startswith and endswith, of one text or any of a tuple's.
MaybeValue matches_end(const PythonText& self, std::string_view name, const PythonValue& argument) {
  std::vector<PythonText> parts;
  if (const auto* text = std::get_if<PythonText>(&argument)) {
    parts.push_back(*text);
  } else if (const auto* list = std::get_if<PythonSequence>(&argument); list && list->is_tuple) {
    parts = list->items;
  } else {
    return std::nullopt;
  }
  for (const PythonText& part : parts) {
    if (part.is_bytes != self.is_bytes) return std::nullopt;
    const bool matches =
        name == "startswith" ? self.text.starts_with(part.text) : self.text.ends_with(part.text);
    if (matches) return PythonValue(true);
  }
  return PythonValue(false);
}

// center, ljust, rjust and zfill.
MaybeValue pad(const PythonText& self, std::string_view name, const PythonValue& argument) {
  const std::optional<std::int64_t> width = as_int64(argument);
  if (!width || *width > kMaxTextBytes) return std::nullopt;
  const auto size = static_cast<std::int64_t>(self.text.size());
  if (*width <= size) return PythonValue(self);
  const auto missing = static_cast<std::size_t>(*width - size);
  if (name == "zfill") {
    const std::size_t sign = self.text.starts_with('+') || self.text.starts_with('-') ? 1 : 0;
    std::string text = self.text;
    return PythonValue(PythonText{text.insert(sign, missing, '0'), self.is_bytes});
  }
  // Of an odd number of spaces the left side gets the larger part where the width is odd.
  std::size_t left = name == "ljust" ? 0 : missing;
  if (name == "center") left = missing / 2 + (missing & static_cast<std::size_t>(*width) & 1U);
  return PythonValue(PythonText{
      std::string(left, ' ') + self.text + std::string(missing - left, ' '), self.is_bytes});
}

MaybeValue join(const PythonText& self, const PythonValue& argument) {
  std::vector<PythonText> items;
  if (const auto* list = std::get_if<PythonSequence>(&argument)) items = list->items;
  if (const auto* text = std::get_if<PythonText>(&argument)) {
    // The items of bytes are numbers, which cannot be joined.
    if (text->is_bytes && !text->text.empty()) return std::nullopt;
    for (const char c : text->text) items.push_back({std::string(1, c), false});
  } else if (!std::holds_alternative<PythonSequence>(argument)) {
    return std::nullopt;
  }
  PythonText joined{.text = {}, .is_bytes = self.is_bytes};
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (items[i].is_bytes != self.is_bytes) return std::nullopt;
    if (i > 0) joined.text += self.text;
    joined.text += items[i].text;
    if (static_cast<std::int64_t>(joined.text.size()) > kMaxTextBytes) return std::nullopt;
  }
  return PythonValue(std::move(joined));
}

// partition and rpartition.
MaybeValue partition(const PythonText& self, std::string_view name, const std::string& separator) {
  if (separator.empty()) return std::nullopt;
  const bool from_end = name == "rpartition";
  const std::size_t at = from_end ? self.text.rfind(separator) : self.text.find(separator);
  std::array<std::string, 3> parts;
  if (at == std::string::npos) {
    parts[from_end ? 2 : 0] = self.text;
  } else {
    parts = {self.text.substr(0, at), separator, self.text.substr(at + separator.size())};
  }
  PythonSequence tuple{.items = {}, .is_tuple = true};
  for (std::string& part : parts) tuple.items.push_back({std::move(part), self.is_bytes});
  return PythonValue(std::move(tuple));
}

MaybeValue split(const PythonText& self, const std::optional<std::string>& separator) {
  if (separator && separator->empty()) return std::nullopt;
  PythonSequence list;
  for (std::string& part : split_text(self.text, separator)) {
    list.items.push_back({std::move(part), self.is_bytes});
  }
  return PythonValue(std::move(list));
}

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, name) != names.end();
}

MaybeValue call_with_text(const PythonText& self, std::string_view name, const std::string& part) {
  if (name == "partition" || name == "rpartition") return partition(self, name, part);
  if (name == "split" || name == "rsplit") return split(self, part);
  PythonText result = self;
  if (name == "removeprefix") {
    if (result.text.starts_with(part)) result.text.erase(0, part.size());
  } else if (name == "removesuffix") {
    if (result.text.ends_with(part)) result.text.resize(result.text.size() - part.size());
  } else if (is_one_of(name, {"strip", "lstrip", "rstrip"})) {
    result.text = strip_text(self.text, name, part);
  } else {
    return std::nullopt;
  }
  return PythonValue(std::move(result));
}

// The coding names that can be spelled here for what is ASCII anyway.
bool is_coding(const PythonValue& argument) {
  const auto* text = std::get_if<PythonText>(&argument);
  return text != nullptr && !text->is_bytes &&
         is_one_of(text->text, {"ascii", "utf8", "utf_8", "latin1", "latin_1"});
}

MaybeValue call_on_text(const PythonText& self, std::string_view name) {
  if (name == "split" || name == "rsplit") return split(self, std::nullopt);
  if (name == "splitlines") {
    PythonSequence lines;
    if (!self.text.empty()) lines.items.push_back(self);
    return PythonValue(std::move(lines));
  }
  if (is_one_of(name, {"strip", "lstrip", "rstrip"})) {
    return PythonValue(PythonText{strip_text(self.text, name, " "), self.is_bytes});
  }
  if (name == (self.is_bytes ? "decode" : "encode")) {
    return PythonValue(PythonText{self.text, !self.is_bytes});
  }
  if (name == "expandtabs" || (name == "format" && !self.is_bytes)) return PythonValue(self);
  if (const std::optional<bool> answer = ask_text(self.text, name, self.is_bytes)) return *answer;
  std::optional<std::string> changed = change_case(self.text, name, self.is_bytes);
  if (!changed) return std::nullopt;
  return PythonValue(PythonText{*std::move(changed), self.is_bytes});
}

MaybeValue call_on_text(const PythonText& self,
                        std::string_view name,
                        const PythonValue& argument) {
  if (is_one_of(name, {"count", "find", "rfind", "index", "rindex"})) {
    return search(self, name, argument);
  }
  if (name == "startswith" || name == "endswith") return matches_end(self, name, argument);
  if (is_one_of(name, {"center", "ljust", "rjust", "zfill"})) return pad(self, name, argument);
  if (name == "join") return join(self, argument);
  if (name == "format" && !self.is_bytes) return PythonValue(self);
  if (name == (self.is_bytes ? "decode" : "encode")) {
    return is_coding(argument) ? call_on_text(self, name) : std::nullopt;
  }
  if (name == "expandtabs" || name == "splitlines") {
    return as_int64(argument) ? call_on_text(self, name) : std::nullopt;
  }
  if (std::holds_alternative<PythonNone>(argument)) {
    const bool has_default = is_one_of(name, {"strip", "lstrip", "rstrip", "split", "rsplit"});
    return has_default ? call_on_text(self, name) : std::nullopt;
  }
  const auto* part = std::get_if<PythonText>(&argument);
  if (part == nullptr || part->is_bytes != self.is_bytes) return std::nullopt;
  return call_with_text(self, name, part->text);
}

// Methods that change a list do so to one that nobody sees again; their answer is None.
MaybeValue call_on_list(const PythonSequence& self,
                        std::string_view name,
                        const std::optional<PythonValue>& argument) {
  const auto size = static_cast<std::int64_t>(self.items.size());
  if (!self.is_tuple && !argument) {
    if (name == "copy") return PythonValue(self);
    if (is_one_of(name, {"clear", "reverse", "sort"})) return PythonValue(PythonNone{});
  }
  if (!self.is_tuple && name == "pop") {
    std::optional<std::int64_t> at = argument ? as_int64(*argument) : std::optional(size - 1);
    if (!at || *at < 0 || *at >= size) return std::nullopt;
    return PythonValue(self.items[static_cast<std::size_t>(*at)]);
  }
  if (!argument) return std::nullopt;
  if (!self.is_tuple && name == "append") return PythonValue(PythonNone{});
  const auto equals = [&](const PythonText& item) { return are_equal(item, *argument); };
  if (name == "count") return integer(std::ranges::count_if(self.items, equals));
  const auto found = std::ranges::find_if(self.items, equals);
  if (name != "index" || found == self.items.end()) return std::nullopt;
  return integer(found - self.items.begin());
}

}  // namespace

std::optional<PythonValue> call_method(const PythonValue& self,
                                       std::string_view name,
                                       const std::optional<PythonValue>& argument) {
  if (const auto* text = std::get_if<PythonText>(&self)) {
    return argument ? call_on_text(*text, name, *argument) : call_on_text(*text, name);
  }
  if (const auto* list = std::get_if<PythonSequence>(&self)) {
    return call_on_list(*list, name, argument);
  }
  if (argument) return std::nullopt;
  if (const auto* number = std::get_if<double>(&self)) {
    if (name == "conjugate") return self;
    if (name == "is_integer")
      return PythonValue(*number == std::floor(*number) && std::isfinite(*number));
    return std::nullopt;
  }
  BigInteger storage;
  const BigInteger* number = as_integer(self, &storage);
  if (number == nullptr) return std::nullopt;
  if (name == "conjugate") return PythonValue(*number);
  if (name == "bit_length") return integer(number->bit_length());
  return std::nullopt;
}

std::optional<PythonValue> read_attribute(const PythonValue& self, std::string_view name) {
  if (std::holds_alternative<double>(self)) {
    if (name == "real") return self;
    if (name == "imag") return PythonValue(0.0);
    return std::nullopt;
  }
  BigInteger storage;
  const BigInteger* number = as_integer(self, &storage);
  if (number == nullptr) return std::nullopt;
  if (name == "real" || name == "numerator") return PythonValue(*number);
  if (name == "imag") return integer(0);
  if (name == "denominator") return integer(1);
  return std::nullopt;
}

}  // namespace quire
