#include "grammar/json_format.h"

#include <array>
#include <string>
#include <utility>

namespace quire::grammar {
namespace {

// RFC 3339, with the days that a month has. No year 0: few calendars of programs have it.
std::string date() {
  const std::string year = "(000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})";
  const std::string leap =
      "([0-9]{2}(0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00)";
  return "(" + year + "-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-" +
         "(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))|" + leap + "-02-29)";
}

std::string time() {
  const std::string clock = "([01][0-9]|2[0-3]):[0-5][0-9]";
  return "(" + clock + R"(:[0-5][0-9](\.[0-9]+)?(Z|[+-])" + clock + "))";
}

std::string duration() {
  const std::string clock = "T([0-9]+H([0-9]+M([0-9]+S)?)?|[0-9]+M([0-9]+S)?|[0-9]+S)";
  const std::string days = "([0-9]+Y([0-9]+M([0-9]+D)?)?|[0-9]+M([0-9]+D)?|[0-9]+D)";
  return "P(" + days + "(" + clock + ")?|" + clock + "|[0-9]+W)";
}

std::string hostname() {
  const std::string label = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
  return label + R"((\.)" + label + ")*";
}

std::string email() {
  const std::string atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
  return atom + R"((\.)" + atom + ")*@" + hostname();
}

std::string ipv4() {
  const std::string byte = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
  return "(" + byte + R"(\.){3})" + byte;
}

// RFC 4291: eight groups, or fewer around one "::"; the last two may be an IPv4 address.
std::string ipv6() {
  const std::string group = "[0-9A-Fa-f]{1,4}";
  const auto times = [&](int count) { return "(" + group + ":){" + std::to_string(count) + "}"; };
  const std::string last = "(" + group + ":" + group + "|" + ipv4() + ")";
  std::string pattern = times(6) + last;
  for (int before = 0; before <= 7; ++before) {  // groups before the "::", at most
    const std::string left =
        before == 0 ? "" : "((" + group + ":){0," + std::to_string(before - 1) + "}" + group + ")?";
    const int after = 6 - before;  // groups behind it, before the last two
    std::string right;
    if (after >= 1) right = times(after - 1) + last;
    if (after == 0) right = group;
    pattern += "|" + left + "::" + right;
  }
  return pattern;
}

// RFC 3986, absolute.
std::string uri() {
  const std::string plain = "A-Za-z0-9._~!$&'()*+,;=-";
  const auto chars = [&](const std::string& more) {
    return "([" + more + plain + "]|%[0-9A-Fa-f]{2})*";
  };
  const std::string host = "(" + chars("") + R"(|\[[0-9A-Fa-f:.]+\]))";
  const std::string authority = "(" + chars(":") + "@)?" + host + "(:[0-9]*)?";
  const std::string segments = "(/" + chars(":@") + ")*";
  const std::string first = "([:@" + plain + "]|%[0-9A-Fa-f]{2})" + chars(":@");
  return "[A-Za-z][A-Za-z0-9+.-]*:(//" + authority + segments + "|/?" + first + segments +
         R"(|)(\?)" + chars(":@/?") + ")?(#" + chars(":@/?") + ")?";
}

std::string uuid() { return "[0-9A-Fa-f]{8}-([0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"; }

std::string base64() { return "([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"; }

using Maker = std::string (*)();
constexpr std::array<std::pair<std::string_view, Maker>, 11> kFormats = {
    {{"date", date},
     {"time", time},
     {"date-time", [] { return date() + "T" + time(); }},
     {"duration", duration},
     {"email", email},
     {"hostname", hostname},
     {"ipv4", ipv4},
     {"ipv6", ipv6},
     {"uri", uri},
     {"uuid", uuid},
     {"byte", base64}}};

}  // namespace

std::string format_pattern(std::string_view format) {
  for (const auto& [name, make] : kFormats) {
    if (name == format) return make();
  }
  return {};
}

std::string known_formats() {
  std::string names;
  for (const auto& [name, make] : kFormats) {
    if (!names.empty()) names += ", ";
    names += name;
  }
  return names;
}

}  // namespace quire::grammar
