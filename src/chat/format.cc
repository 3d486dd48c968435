#include "chat/format.h"

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

namespace quire::chat {
namespace {

using Kind = Value::Kind;

constexpr std::int64_t kMostPrecision = 200;
constexpr std::int64_t kMostWidth = std::int64_t{1} << 30;

// [[fill]align][sign][#][0][width][,][.precision][type]
struct Specification {
  std::string fill = " ";
  char align = '\0';
  char sign = '-';
  bool alternate = false;
  std::int64_t width = 0;
  char grouping = '\0';
  std::int64_t precision = -1;
  char type = '\0';
};

bool is_align(char c) { return c == '<' || c == '>' || c == '^' || c == '='; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Digits at text[*at], or `fallback` where there are none; -1 for far too many.
std::int64_t read_digits(std::string_view text, std::size_t* at, std::int64_t fallback) {
  if (*at >= text.size() || !is_digit(text[*at])) return fallback;
  std::int64_t number = 0;
  for (; *at < text.size() && is_digit(text[*at]); ++*at) {
    number = std::min<std::int64_t>(number * 10 + (text[*at] - '0'), kMostWidth);
  }
  return number;
}

Result<Specification> read_specification(std::string_view text) {
  Specification out;
  std::size_t at = 0;
  const std::size_t first = text.empty() ? 0 : decode_utf8(text, 0).length;
  if (first < text.size() && is_align(text[first])) {
    out.fill = text.substr(0, first);
    out.align = text[first];
    at = first + 1;
  } else if (!text.empty() && is_align(text[0])) {
    out.align = text[at++];
  }
  const auto take = [&](std::string_view any, char otherwise) {
    return at < text.size() && any.find(text[at]) != std::string_view::npos ? text[at++]
                                                                            : otherwise;
  };
  out.sign = take("+- ", '-');
  out.alternate = take("#", '\0') != '\0';
  if (at < text.size() && text[at] == '0' && out.align == '\0') {
    out.fill = "0";
    out.align = '=';
  }
  out.width = read_digits(text, &at, 0);
  out.grouping = take(",_", '\0');
  if (at < text.size() && text[at] == '.') {
    ++at;
    out.precision = read_digits(text, &at, -1);
    if (out.precision < 0) return invalid_argument("a format has a dot without digits");
  }
  out.type = take("sdxXobcneEfFgG%", '\0');
  if (at < text.size()) {
    return invalid_argument("the format \"" + std::string(text.substr(0, 32)) +
                            "\" is not supported");
  }
  return out;
}

std::string grouped(const std::string& digits, char separator, std::size_t size) {
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % size == 0) out += separator;
    out += digits[i];
  }
  return out;
}

std::string real_digits(double number, const Specification& want) {
  const bool is_upper = want.type == 'E' || want.type == 'F' || want.type == 'G';
  if (!std::isfinite(number)) {
    std::string name = std::isnan(number) ? "nan" : "inf";
    if (is_upper)
      std::transform(name.begin(), name.end(), name.begin(), [](char c) {
        return static_cast<char>(c - 'a' + 'A');
      });
    return name + (want.type == '%' ? "%" : "");
  }
  std::array<char, 700> buffer = {};
  if (want.type == '%') number *= 100;
  auto format = std::chars_format::fixed;
  if (want.type == 'e' || want.type == 'E') format = std::chars_format::scientific;
  const bool is_general = want.type == 'g' || want.type == 'G' || want.type == '\0';
  if (is_general) format = std::chars_format::general;
  int precision = want.precision < 0 ? 6 : static_cast<int>(want.precision);
  if (is_general && precision == 0) precision = 1;
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), number, format, precision);
  std::string text(buffer.data(), end.ptr);
  if (want.type == '\0' && text.find_first_of(".e") == std::string::npos) text += ".0";
  if (is_upper) std::replace(text.begin(), text.end(), 'e', 'E');
  return text + (want.type == '%' ? "%" : "");
}

std::string integer_digits(std::uint64_t number, char type) {
  const int base = type == 'x' || type == 'X' ? 16 : (type == 'o' ? 8 : (type == 'b' ? 2 : 10));
  std::array<char, 80> buffer = {};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number, base);
  std::string text(buffer.data(), end.ptr);
  if (type == 'X')
    std::transform(text.begin(), text.end(), text.begin(), [](char c) {
      return c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c;
    });
  return text;
}

// A number's sign and prefix, and its digits.
Result<std::pair<std::string, std::string>> number_parts(const Value& value,
                                                         const Specification& want) {
  const bool wants_real =
      want.type != '\0' && std::string_view("eEfFgG%").find(want.type) != std::string_view::npos;
  bool negative = false;
  std::string prefix;
  std::string digits;
  if (value.is_integer() && !wants_real) {
    if (want.precision >= 0) return invalid_argument("an integer has no precision to format");
    const std::int64_t number = value.as_int();
    negative = number < 0;
    const auto bits = static_cast<std::uint64_t>(number);
    digits = integer_digits(negative ? 0 - bits : bits, want.type);
    const bool has_prefix = want.alternate && want.type != '\0' && want.type != 'd';
    if (has_prefix) prefix = std::string("0") + want.type;
    const bool is_decimal = want.type == '\0' || want.type == 'd' || want.type == 'n';
    if (want.grouping != '\0') digits = grouped(digits, want.grouping, is_decimal ? 3 : 4);
  } else {
    const double number = value.as_double();
    negative = std::signbit(number) && !std::isnan(number);
    const bool is_plain = want.type == '\0' && want.precision < 0;
    digits = is_plain ? print_double(std::fabs(number)) : real_digits(std::fabs(number), want);
    if (want.grouping != '\0') {
      const std::size_t whole = std::min(digits.find_first_not_of("0123456789"), digits.size());
      digits = grouped(digits.substr(0, whole), want.grouping, 3) + digits.substr(whole);
    }
  }
  std::string sign = negative ? "-" : (want.sign == '-' ? "" : std::string(1, want.sign));
  return std::pair(sign + prefix, digits);
}

// Pads a text to the width asked for; `lead` is its part before padding of '='.
Result<Text> padded(
    const Text& lead, const Text& text, const Specification& want, bool trusted, Budget* budget) {
  const std::int64_t length = count_code_points(lead.bytes) + count_code_points(text.bytes);
  const std::int64_t missing = std::max<std::int64_t>(want.width - length, 0);
  QUIRE_TRY(budget->make_text(lead.size() + text.size() +
                              static_cast<std::size_t>(missing) * want.fill.size()));
  const std::int64_t left = want.align == '<' ? 0 : (want.align == '^' ? missing / 2 : missing);
  Text out;
  const auto pad = [&](std::int64_t count) {
    std::string fill;
    fill.reserve(static_cast<std::size_t>(count) * want.fill.size());
    for (std::int64_t i = 0; i < count; ++i) fill += want.fill;
    out.append(fill, trusted);
  };
  if (want.align == '=') out.append(lead);
  pad(left);
  if (want.align != '=') out.append(lead);
  out.append(text);
  pad(missing - left);
  return out;
}

}  // namespace

Result<Text> format_value(const Value& value,
                          std::string_view specification,
                          bool trusted,
                          Budget* budget) {
  if (specification.empty()) return to_text(value, budget);
  QUIRE_ASSIGN(Specification want, read_specification(specification));
  if (want.precision > kMostPrecision && value.is_number()) {
    return invalid_argument("a format asks for too many digits");
  }
  if (value.is(Kind::kText) || !value.is_number()) {
    const bool fits = (want.type == '\0' || want.type == 's') && want.align != '=';
    if (!fits) return misused(value, "does not fit the format");
    QUIRE_ASSIGN(Text text, to_text(value, budget));
    const std::vector<std::size_t> starts = code_point_starts(text.bytes);
    if (want.precision >= 0 && static_cast<std::size_t>(want.precision) + 1 < starts.size()) {
      text = text.slice(0, starts[static_cast<std::size_t>(want.precision)]);
    }
    if (want.align == '\0') want.align = '<';
    return padded(Text(), text, want, trusted, budget);
  }
  if (want.type == 's' || want.type == 'c') return misused(value, "does not fit the format");
  const std::string_view integer_types = "dxXobn";
  if (!value.is_integer() && want.type != '\0' &&
      integer_types.find(want.type) != std::string_view::npos) {
    return misused(value, "does not fit the format");
  }
  if (want.align == '\0') want.align = '>';
  QUIRE_ASSIGN(const auto parts, number_parts(value, want));
  return padded(Text(parts.first, value.is_trusted()),
                Text(parts.second, value.is_trusted()),
                want,
                trusted,
                budget);
}

namespace {

// One field of a % format: %(name)-05.2f.
struct PercentField {
  std::string name;
  bool has_name = false;
  std::string specification;  // as format_value reads it, without the type
  char type = '\0';
};

Result<PercentField> read_percent_field(std::string_view text, std::size_t* at) {
  PercentField field;
  if (*at < text.size() && text[*at] == '(') {
    const std::size_t end = text.find(')', *at);
    if (end == std::string_view::npos) return invalid_argument("a % format has an open bracket");
    field.has_name = true;
    field.name = text.substr(*at + 1, end - *at - 1);
    *at = end + 1;
  }
  bool left = false;
  bool zero = false;
  std::string flags;
  for (; *at < text.size() && std::string_view("-+ #0").find(text[*at]) != std::string_view::npos;
       ++*at) {
    left |= text[*at] == '-';
    zero |= text[*at] == '0';
    if (text[*at] == '+' || (text[*at] == ' ' && flags.empty())) flags = text[*at];
  }
  const std::int64_t width = read_digits(text, at, 0);
  std::string precision;
  if (*at < text.size() && text[*at] == '.') {
    ++*at;
    precision = "." + std::to_string(read_digits(text, at, 0));
  }
  if (*at >= text.size()) return invalid_argument("a % format is incomplete");
  field.type = text[(*at)++];
  const bool is_number = field.type != 's' && field.type != 'r';
  const std::string align = left ? "<" : (zero && is_number ? "0=" : ">");
  const bool is_plain = width == 0 && precision.empty() && flags.empty();
  if (!is_plain) {
    field.specification = align + (is_number ? flags : "") + std::to_string(width) + precision;
  }
  return field;
}

// repr() as the conversions !r and %r print it: what a list of the value alone has inside.
Result<Value> represented(const Value& value, Budget* budget) {
  QUIRE_ASSIGN(const Value list, make_list({value}));
  QUIRE_ASSIGN(const Text text, to_text(list, budget));
  return Value::text(text.slice(1, text.size() - 1));
}

Result<Text> percent_field(const PercentField& field,
                           const Value& value,
                           bool trusted,
                           Budget* budget) {
  if (field.type == 'r' || field.type == 's') {
    Value text = value;
    if (field.type == 'r') {
      QUIRE_ASSIGN(text, represented(value, budget));
    } else {
      QUIRE_ASSIGN(Text printed, to_text(value, budget));
      text = Value::text(std::move(printed));
    }
    return format_value(text, field.specification, trusted, budget);
  }
  const std::string_view known = "diuxXoeEfFgG";
  if (known.find(field.type) == std::string_view::npos) {
    return invalid_argument("the % format %" + std::string(1, field.type) + " is not supported");
  }
  if (!value.is_number()) return misused(value, "cannot be formatted as a number");
  const bool is_decimal = field.type == 'd' || field.type == 'i' || field.type == 'u';
  if (is_decimal && value.is(Kind::kFloat)) {
    const double whole = std::trunc(value.as_double());
    if (!(std::fabs(whole) < 9.0e18)) return misused(value, "is too large to be formatted");
    return format_value(Value::integer(static_cast<std::int64_t>(whole), value.is_trusted()),
                        field.specification + "d",
                        trusted,
                        budget);
  }
  return format_value(
      value, field.specification + (is_decimal ? 'd' : field.type), trusted, budget);
}

}  // namespace

Result<Value> format_percent(const Text& format, const Value& value, Budget* budget) {
  const bool is_tuple = value.is(Kind::kList) && value.as_list().is_tuple;
  std::vector<Value> values = {value};
  if (is_tuple) values = value.as_list().items;
  Text out;
  std::size_t used = 0;
  bool by_name = false;
  for (std::size_t at = 0; at < format.size();) {
    const std::size_t percent = std::min(format.bytes.find('%', at), format.size());
    out.append(format.slice(at, percent));
    if (percent == format.size()) break;
    at = percent + 1;
    if (at < format.size() && format.bytes[at] == '%') {
      out.append(format.slice(at, at + 1));
      ++at;
      continue;
    }
    QUIRE_ASSIGN(const PercentField field, read_percent_field(format.bytes, &at));
    const Value* next = nullptr;
    if (field.has_name) {
      by_name = true;
      if (!value.is(Kind::kDict)) return misused(value, "has no names for a % format");
      next = value.as_dict().find(field.name);
      if (next == nullptr) return invalid_argument("a % format names a value that is not there");
    } else {
      if (used == values.size()) return invalid_argument("a % format has too few values");
      next = &values[used++];
    }
    const bool trusted = format.marks[percent] == Text::kTrusted;
    QUIRE_ASSIGN(const Text piece, percent_field(field, *next, trusted, budget));
    QUIRE_TRY(budget->check_text(out.size() + piece.size()));
    QUIRE_TRY(budget->spend());
    out.append(piece);
  }
  const bool may_be_left = by_name || value.is(Kind::kDict) || (value.is(Kind::kList) && !is_tuple);
  if (used < values.size() && !may_be_left) {
    return invalid_argument("a % format has too many values");
  }
  return Value::text(std::move(out));
}

namespace {

// A replacement field without its braces: name, .members and [items], !conversion, :specification.
struct BraceField {
  std::string_view path;
  char conversion = '\0';
  std::string_view specification;
};

BraceField read_brace_field(std::string_view field) {
  BraceField out;
  const std::size_t colon = field.find(':');
  std::string_view head = field.substr(0, colon);
  if (colon != std::string_view::npos) out.specification = field.substr(colon + 1);
  const std::size_t mark = head.rfind('!');
  if (mark != std::string_view::npos && mark + 2 == head.size()) {
    out.conversion = head.back();
    head = head.substr(0, mark);
  }
  out.path = head;
  return out;
}

// The argument that a field begins with: by place, by number or by keyword.
Result<const Value*> field_argument(std::string_view name,
                                    const CallArguments& arguments,
                                    std::size_t* next_place) {
  if (name.empty() || std::all_of(name.begin(), name.end(), is_digit)) {
    std::size_t place = *next_place;
    if (name.empty()) {
      ++*next_place;
    } else {
      std::size_t at = 0;
      place = static_cast<std::size_t>(read_digits(name, &at, 0));
    }
    if (place < arguments.positional.size()) return &arguments.positional[place];
    return invalid_argument("format has no argument for a field");
  }
  for (const auto& [keyword, value] : arguments.keywords) {
    if (keyword == name) return &value;
  }
  return invalid_argument("format has no argument for {" + std::string(name.substr(0, 32)) + "}");
}

Result<Value> field_value(std::string_view path,
                          const CallArguments& arguments,
                          std::size_t* next_place,
                          Runtime* runtime) {
  std::size_t at = std::min(path.find_first_of(".["), path.size());
  QUIRE_ASSIGN(const Value* first, field_argument(path.substr(0, at), arguments, next_place));
  Value value = *first;
  while (at < path.size()) {
    if (path[at] == '.') {
      const std::size_t end = std::min(path.find_first_of(".[", at + 1), path.size());
      QUIRE_ASSIGN(value,
                   attribute_of(value, std::string(path.substr(at + 1, end - at - 1)), runtime));
      at = end;
    } else {
      const std::size_t end = path.find(']', at);
      if (end == std::string_view::npos) return invalid_argument("format: a bracket stays open");
      const std::string_view key = path.substr(at + 1, end - at - 1);
      std::size_t digit = 0;
      const bool is_index = !key.empty() && std::all_of(key.begin(), key.end(), is_digit);
      const Value index =
          is_index ? Value::integer(read_digits(key, &digit, 0)) : Value::text(key, true);
      QUIRE_ASSIGN(value, item_of(value, index, runtime));
      at = end + 1;
    }
  }
  if (value.is(Kind::kUndefined)) return misused(value, "");
  return value;
}

}  // namespace

Result<Value> format_braces(const Text& format, const CallArguments& arguments, Runtime* runtime) {
  Budget* budget = &runtime->budget;
  Text out;
  std::size_t next_place = 0;
  for (std::size_t at = 0; at < format.size();) {
    const char c = format.bytes[at];
    const char next = at + 1 < format.size() ? format.bytes[at + 1] : '\0';
    if (c != '{' && c != '}') {
      const std::size_t end = std::min(format.bytes.find_first_of("{}", at), format.size());
      out.append(format.slice(at, end));
      at = end;
    } else if (c == next) {
      out.append(format.slice(at, at + 1));
      at += 2;
    } else {
      const std::size_t end = format.bytes.find('}', at);
      if (c == '}' || end == std::string::npos) {
        return invalid_argument("format: a brace stands alone");
      }
      const BraceField field =
          read_brace_field(std::string_view(format.bytes).substr(at + 1, end - at - 1));
      QUIRE_ASSIGN(Value value, field_value(field.path, arguments, &next_place, runtime));
      if (field.conversion == 'r') {
        QUIRE_ASSIGN(value, represented(value, budget));
      } else if (field.conversion == 's') {
        QUIRE_ASSIGN(Text text, to_text(value, budget));
        value = Value::text(std::move(text));
      } else if (field.conversion != '\0') {
        return invalid_argument("format: the conversion is not supported");
      }
      const bool trusted = format.marks[at] == Text::kTrusted;
      QUIRE_ASSIGN(const Text text, format_value(value, field.specification, trusted, budget));
      out.append(text);
      at = end + 1;
    }
    QUIRE_TRY(budget->spend());
    QUIRE_TRY(budget->check_text(out.size()));
  }
  return Value::text(std::move(out));
}

}  // namespace quire::chat
