#include "grammar/json_number.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace quire::grammar {
namespace {

constexpr int kMaxDigits = 40;

int sign(int number) { return (number > 0) - (number < 0); }

int compare_magnitude(const Decimal& a, const Decimal& b) {
  if (a.whole.size() != b.whole.size()) return a.whole.size() < b.whole.size() ? -1 : 1;
  if (const int whole = a.whole.compare(b.whole); whole != 0) return sign(whole);
  return sign(a.fraction.compare(b.fraction));
}

// How the digits of a number compare with those of a bound as they come.
class Comparison {
 public:
  static constexpr int kEqual = 0;
  // `count` digits of the whole part are read, the one that comes last.
  static int after_whole(int so_far, int count, char digit, const Decimal& bound) {
    if (so_far != kEqual || count > static_cast<int>(bound.whole.size())) return so_far;
    return sign(digit - bound.whole[static_cast<std::size_t>(count - 1)]);
  }
  static int at_point(int so_far, int count, const Decimal& bound) {
    const auto length = static_cast<int>(bound.whole.size());
    return count == length ? so_far : sign(count - length);
  }
  static int after_fraction(int so_far, int count, char digit, const Decimal& bound) {
    if (so_far != kEqual) return so_far;
    const auto at = static_cast<std::size_t>(count - 1);
    return sign(digit - (at < bound.fraction.size() ? bound.fraction[at] : '0'));
  }
  static int at_end(int so_far, int count, const Decimal& bound) {
    return so_far == kEqual && count < static_cast<int>(bound.fraction.size()) ? -1 : so_far;
  }
};

enum class Phase : std::uint8_t { kStart, kMinus, kZero, kWhole, kPoint, kFraction };

struct State {
  Phase phase = Phase::kStart;
  bool negative = false;
  int count = 0;                  // digits of the part that is read, as far as that matters
  std::array<int, 2> order = {};  // of the magnitude against the low and the high bound's
  std::int64_t rest = 0;          // modulo the divisor
  auto operator<=>(const State&) const = default;
};

// The machine whose states number_dfa() collects.
class Reader {
 public:
  explicit Reader(const NumberRange& range) : range_(range) {
    for (const auto* bound : {low(), high()}) {
      if (bound == nullptr) continue;
      max_whole_ = std::max(max_whole_, static_cast<int>(bound->value.whole.size()));
      max_fraction_ = std::max(max_fraction_, static_cast<int>(bound->value.fraction.size()));
    }
    if (!range.multiple_of) return;
    decimals_ = static_cast<int>(range.multiple_of->fraction.size());
    std::string digits = range.multiple_of->whole + range.multiple_of->fraction;
    divisor_ = 0;
    for (const char digit : digits) divisor_ = divisor_ * 10 + (digit - '0');
  }

  std::optional<State> step(State state, char c) const;
  bool accepts(State state) const;

 private:
  const NumberBound* low() const { return range_.low ? &*range_.low : nullptr; }
  const NumberBound* high() const { return range_.high ? &*range_.high : nullptr; }
  State end_whole(State state) const;
  std::optional<State> digit(State state, char c) const;
  int against(const State& state, const Decimal& bound, int order) const;

  const NumberRange& range_;
  int max_whole_ = 0;
  int max_fraction_ = 0;
  int decimals_ = -1;  // that a multiple may have; -1: any number
  std::int64_t divisor_ = 1;
};

std::optional<State> Reader::digit(State state, char c) const {
  const bool fraction = state.phase == Phase::kPoint || state.phase == Phase::kFraction;
  if (fraction && decimals_ >= 0 && state.count >= decimals_) return std::nullopt;
  const int most = fraction ? std::max(max_fraction_, decimals_) : max_whole_;
  state.count = std::min(state.count, most) + 1;
  const std::array<const NumberBound*, 2> bounds = {low(), high()};
  for (std::size_t i = 0; i < 2; ++i) {
    if (bounds[i] == nullptr) continue;
    state.order[i] =
        fraction ? Comparison::after_fraction(state.order[i], state.count, c, bounds[i]->value)
                 : Comparison::after_whole(state.order[i], state.count, c, bounds[i]->value);
  }
  state.rest = (state.rest * 10 + (c - '0')) % divisor_;
  if (fraction) {
    state.phase = Phase::kFraction;
  } else {
    state.phase = state.phase != Phase::kWhole && c == '0' ? Phase::kZero : Phase::kWhole;
  }
  return state;
}

State Reader::end_whole(State state) const {
  const std::array<const NumberBound*, 2> bounds = {low(), high()};
  for (std::size_t i = 0; i < 2; ++i) {
    if (bounds[i] == nullptr) continue;
    state.order[i] = Comparison::at_point(state.order[i], state.count, bounds[i]->value);
  }
  state.count = 0;
  return state;
}

std::optional<State> Reader::step(State state, char c) const {
  if (c == '-') {
    if (state.phase != Phase::kStart) return std::nullopt;
    state.phase = Phase::kMinus;
    state.negative = true;
    return state;
  }
  if (c == '.') {
    const bool whole = state.phase == Phase::kZero || state.phase == Phase::kWhole;
    if (!whole || range_.integer || decimals_ == 0) return std::nullopt;
    state = end_whole(state);
    state.phase = Phase::kPoint;
    return state;
  }
  if (state.phase == Phase::kZero) return std::nullopt;
  return digit(state, c);
}

int Reader::against(const State& state, const Decimal& bound, int order) const {
  if (!bound.negative) {
    if (!state.negative) return order;
    return bound.is_zero() ? -order : -1;
  }
  return state.negative ? -order : 1;
}

bool Reader::accepts(State state) const {
  if (state.phase == Phase::kZero || state.phase == Phase::kWhole)
    state = end_whole(state);
  else if (state.phase != Phase::kFraction)
    return false;
  if (decimals_ >= 0) {
    for (int i = state.count; i < decimals_; ++i) state.rest = state.rest * 10 % divisor_;
    if (state.rest != 0) return false;
  }
  const auto order = [&](const NumberBound& bound, std::size_t i) {
    return against(
        state, bound.value, Comparison::at_end(state.order[i], state.count, bound.value));
  };
  if (const auto* bound = low()) {
    if (order(*bound, 0) < (bound->exclusive ? 1 : 0)) return false;
  }
  if (const auto* bound = high()) {
    if (order(*bound, 1) > (bound->exclusive ? -1 : 0)) return false;
  }
  return true;
}

}  // namespace

std::optional<Decimal> decimal_of(const Json& number) {
  std::string text = number.dump();
  Decimal decimal;
  if (text.starts_with('-')) {
    decimal.negative = true;
    text.erase(0, 1);
  }
  int exponent = 0;
  if (const auto at = text.find_first_of("eE"); at != std::string::npos) {
    const char* begin = text.data() + at + (text[at + 1] == '+' ? 2 : 1);
    std::from_chars(begin, text.data() + text.size(), exponent);
    text.resize(at);
  }
  const auto point = std::min(text.find('.'), text.size());
  std::string digits = text.substr(0, point);
  if (point < text.size()) digits += text.substr(point + 1);
  int whole = static_cast<int>(point) + exponent;  // digits before the point
  if (std::abs(whole) > kMaxDigits || digits.size() > kMaxDigits) return std::nullopt;
  while (whole <= 0) {
    digits.insert(digits.begin(), '0');
    ++whole;
  }
  while (static_cast<int>(digits.size()) < whole) digits += '0';
  decimal.whole = digits.substr(0, static_cast<std::size_t>(whole));
  decimal.fraction = digits.substr(static_cast<std::size_t>(whole));
  decimal.whole.erase(0, std::min(decimal.whole.find_first_not_of('0'), decimal.whole.size() - 1));
  decimal.fraction.resize(decimal.fraction.find_last_not_of('0') + 1);
  if (decimal.is_zero()) decimal.negative = false;
  return decimal;
}

int compare(const Decimal& a, const Decimal& b) {
  if (a.negative != b.negative) return a.negative ? -1 : 1;
  return a.negative ? compare_magnitude(b, a) : compare_magnitude(a, b);
}

Result<Dfa> number_dfa(const NumberRange& range, const Limits& limits) {
  const Reader reader(range);
  std::map<State, std::int32_t> names = {{State{}, 0}};
  std::vector<State> order = {State{}};
  std::vector<Dfa::State> states;
  for (std::size_t at = 0; at < order.size(); ++at) {
    const State state = order[at];
    Dfa::State made{{}, reader.accepts(state)};
    for (const char c : std::string_view("-.0123456789")) {
      const std::optional<State> next = reader.step(state, c);
      if (!next) continue;
      const auto [found, added] = names.try_emplace(*next, static_cast<std::int32_t>(order.size()));
      if (added) order.push_back(*next);
      const auto code = static_cast<char32_t>(c);
      made.edges.push_back({{code, code}, found->second});
    }
    states.push_back(std::move(made));
    if (order.size() > limits.dfa_states) {
      return invalid_argument("a number's bounds and multipleOf need more than " +
                              std::to_string(limits.dfa_states) + " states; make them simpler");
    }
  }
  return Dfa(std::move(states));
}

}  // namespace quire::grammar
