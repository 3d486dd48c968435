#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "chat/runtime.h"

// How values look as text: str() and repr() of Python, and JSON.

namespace quire::chat {
namespace {

using Kind = Value::Kind;

// The digits of an escape such as \u00e9, trusted as the character was that it stands for.
void append_hex(char32_t code_point, int digits, Text* out, bool trusted) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) {
    hex += kDigits[(code_point >> static_cast<unsigned>(shift)) & 0xFU];
  }
  out->append(hex, trusted);
}

// repr() of a string: single quotes unless it holds those and no double ones.
void append_quoted(const Text& text, Text* out) {
  const bool has_single = text.bytes.find('\'') != std::string::npos;
  const bool has_double = text.bytes.find('"') != std::string::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  out->append(std::string(1, quote), false);
  for (std::size_t at = 0; at < text.size();) {
    const DecodedCodePoint decoded = decode_utf8(text.bytes, at);
    const char32_t c = decoded.code_point;
    const bool trusted = text.marks[at] == Text::kTrusted;
    if (c == '\n' || c == '\r' || c == '\t') {
      out->append(c == '\n' ? "\\n" : (c == '\r' ? "\\r" : "\\t"), trusted);
    } else if (c == '\\' || c == static_cast<unsigned char>(quote)) {
      out->append(std::string("\\") + static_cast<char>(c), trusted);
    } else if (is_printable(c)) {
      out->append(text.slice(at, at + decoded.length));
    } else {
      const int digits = c < 0x100 ? 2 : (c < 0x10000 ? 4 : 8);
      out->append(digits == 2 ? "\\x" : (digits == 4 ? "\\u" : "\\U"), trusted);
      append_hex(c, digits, out, trusted);
    }
    at += decoded.length;
  }
  out->append(std::string(1, quote), false);
}

// Python prints numbers and the like the same way by str() and repr().
std::string scalar_text(const Value& value) {
  switch (value.kind()) {
    case Kind::kNone:
      return "None";
    case Kind::kBool:
      return value.as_bool() ? "True" : "False";
    case Kind::kInt:
      return std::to_string(value.as_int());
    case Kind::kBigInt:
      return value.as_digits();
    default:
      return print_double(value.as_double());
  }
}

// repr(value). Punctuation that printing adds is never trusted: it depends on what is printed.
Status append_repr(const Value& value, Budget* budget, Text* out) {
  QUIRE_TRY(budget->spend());
  QUIRE_TRY(budget->check_text(out->size()));
  switch (value.kind()) {
    case Kind::kUndefined:
      out->append("Undefined", false);
      return ok_status();
    case Kind::kText:
      QUIRE_TRY(budget->make_text(value.as_text().size()));
      append_quoted(value.as_text(), out);
      return ok_status();
    case Kind::kList: {
      const List& list = value.as_list();
      out->append(list.is_tuple ? "(" : "[", false);
      for (std::size_t i = 0; i < list.items.size(); ++i) {
        if (i > 0) out->append(", ", false);
        QUIRE_TRY(append_repr(list.items[i], budget, out));
      }
      if (list.is_tuple && list.items.size() == 1) out->append(",", false);
      out->append(list.is_tuple ? ")" : "]", false);
      return ok_status();
    }
    case Kind::kDict: {
      const char* separator = "{";
      for (const auto& [key, item] : value.as_dict().items) {
        out->append(separator, false);
        separator = ", ";
        QUIRE_TRY(append_repr(key, budget, out));
        out->append(": ", false);
        QUIRE_TRY(append_repr(item, budget, out));
      }
      out->append(value.as_dict().items.empty() ? "{}" : "}", false);
      return ok_status();
    }
    case Kind::kNamespace:
    case Kind::kLoop:
    case Kind::kCallable:
      return misused(value, "cannot be printed");
    default:
      out->append(scalar_text(value), value.is_trusted());
      return ok_status();
  }
}

// Writes JSON as Python's json.dumps does.
class JsonWriter {
 public:
  JsonWriter(const JsonStyle& style, Budget* budget) : style_(style), budget_(budget) {}

  Status write(const Value& value, int level);
  Text take() { return std::move(out_); }

 private:
  Status write_list(const std::vector<Value>& items, int level);
  Status write_dict(const Dict& dict, int level);
  Status write_key(const Value& key);
  void write_string(const Text& text);
  std::size_t write_escaped(const Text& text, std::size_t at);
  void break_line(int level);

  const JsonStyle& style_;
  Budget* budget_;
  Text out_;
};

void JsonWriter::break_line(int level) {
  if (style_.indent < 0) return;
  out_.append("\n", false);
  const auto width = static_cast<std::size_t>(style_.indent) * static_cast<std::size_t>(level);
  out_.append(std::string(width, ' '), false);
}

// A character beyond ASCII as one \u escape, or as two of a surrogate pair; returns its length.
std::size_t JsonWriter::write_escaped(const Text& text, std::size_t at) {
  const DecodedCodePoint decoded = decode_utf8(text.bytes, at);
  const bool trusted = text.marks[at] == Text::kTrusted;
  const auto append_unit = [&](char32_t unit) {
    out_.append("\\u", trusted);
    append_hex(unit, 4, &out_, trusted);
  };
  if (decoded.code_point < 0x10000) {
    append_unit(decoded.code_point);
  } else {
    append_unit(0xD800 + ((decoded.code_point - 0x10000) >> 10U));
    append_unit(0xDC00 + ((decoded.code_point - 0x10000) & 0x3FFU));
  }
  return decoded.length;
}

// Only what JSON must escape is escaped: HTML and other scripts stay as they are. Bytes of a
// character of several are copied one by one, each with its own mark.
void JsonWriter::write_string(const Text& text) {
  constexpr std::string_view kEscaped = "\"\\\n\r\t\f\b";
  constexpr std::string_view kLetters = "\"\\nrtfb";
  out_.append("\"", false);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text.bytes[i];
    const bool trusted = text.marks[i] == Text::kTrusted;
    const std::size_t escape = kEscaped.find(c);
    if (style_.ascii && static_cast<unsigned char>(c) >= 0x80) {
      i += write_escaped(text, i) - 1;
    } else if (escape != std::string_view::npos) {
      out_.append(std::string("\\") + kLetters[escape], trusted);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out_.append("\\u", trusted);
      append_hex(static_cast<unsigned char>(c), 4, &out_, trusted);
    } else {
      out_.append(std::string_view(&c, 1), trusted);
    }
  }
  out_.append("\"", false);
}

// A key that is no string is written as one: {1: 2} becomes {"1": 2}.
Status JsonWriter::write_key(const Value& key) {
  if (key.is(Kind::kText)) {
    QUIRE_TRY(budget_->make_text(key.as_text().size()));
    write_string(key.as_text());
    return ok_status();
  }
  out_.append("\"", false);
  QUIRE_TRY(write(key, 0));
  out_.append("\"", false);
  return ok_status();
}

Status JsonWriter::write_list(const std::vector<Value>& items, int level) {
  out_.append("[", false);
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out_.append(style_.item_separator, false);
    break_line(level + 1);
    QUIRE_TRY(write(items[i], level + 1));
  }
  if (!items.empty()) break_line(level);
  out_.append("]", false);
  return ok_status();
}

Status JsonWriter::write_dict(const Dict& dict, int level) {
  std::vector<const std::pair<Value, Value>*> items;
  items.reserve(dict.items.size());
  for (const auto& item : dict.items) items.push_back(&item);
  if (style_.sort_keys) {
    for (const auto* item : items) {
      if (!item->first.is(Kind::kText)) return misused(item->first, "cannot be sorted as a key");
    }
    std::sort(items.begin(), items.end(), [](const auto* a, const auto* b) {
      return a->first.as_text().bytes < b->first.as_text().bytes;
    });
  }
  out_.append("{", false);
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out_.append(style_.item_separator, false);
    break_line(level + 1);
    QUIRE_TRY(write_key(items[i]->first));
    out_.append(style_.key_separator, false);
    QUIRE_TRY(write(items[i]->second, level + 1));
  }
  if (!items.empty()) break_line(level);
  out_.append("}", false);
  return ok_status();
}

Status JsonWriter::write(const Value& value, int level) {
  QUIRE_TRY(budget_->spend());
  QUIRE_TRY(budget_->check_text(out_.size()));
  switch (value.kind()) {
    case Kind::kNone:
      out_.append("null", false);
      return ok_status();
    case Kind::kBool:
      out_.append(value.as_bool() ? "true" : "false", false);
      return ok_status();
    case Kind::kInt:
      out_.append(std::to_string(value.as_int()), value.is_trusted());
      break;
    case Kind::kBigInt:
      out_.append(value.as_digits(), value.is_trusted());
      break;
    case Kind::kFloat: {
      const double number = value.as_double();
      const char* infinite = number > 0 ? "Infinity" : "-Infinity";
      const std::string text = std::isnan(number)   ? "NaN"
                               : std::isinf(number) ? infinite
                                                    : print_double(number);
      out_.append(text, value.is_trusted());
      break;
    }
    case Kind::kText:
      QUIRE_TRY(budget_->make_text(value.as_text().size()));
      write_string(value.as_text());
      break;
    case Kind::kList:
      return write_list(value.as_list().items, level);
    case Kind::kDict:
      return write_dict(value.as_dict(), level);
    default:
      return misused(value, "cannot be written as JSON");
  }
  return ok_status();
}

}  // namespace

std::string print_double(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  // The shortest digits that read back as the same number, with an exponent where Python has one.
  std::array<char, 400> buffer = {};
  const double size = std::fabs(value);
  const bool fixed = size == 0.0 || (size >= 1e-4 && size < 1e16);
  const auto format = fixed ? std::chars_format::fixed : std::chars_format::scientific;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format);
  std::string text(buffer.data(), end.ptr);
  if (fixed && text.find('.') == std::string::npos) text += ".0";
  return text;
}

Result<Text> to_text(const Value& value, Budget* budget) {
  if (value.is(Kind::kUndefined)) return Text();
  if (value.is(Kind::kText)) {
    QUIRE_TRY(budget->spend_text(value.as_text().size()));
    return value.as_text();
  }
  Text out;
  QUIRE_TRY(append_repr(value, budget, &out));
  return out;
}

Result<Text> to_json(const Value& value, const JsonStyle& style, Budget* budget) {
  JsonWriter writer(style, budget);
  QUIRE_TRY(writer.write(value, 0));
  return writer.take();
}

}  // namespace quire::chat
