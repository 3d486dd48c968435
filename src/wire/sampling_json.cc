#include "wire/sampling_json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace quire::wire {
namespace {

constexpr std::int64_t kIntMin = std::numeric_limits<int>::min();
constexpr std::int64_t kIntMax = std::numeric_limits<int>::max();

template <typename T>
struct NamedField {
  const char* name;
  T SamplingParams::* member;
};

constexpr std::array kIntFields = {
    NamedField<int>{"n", &SamplingParams::n},
    NamedField<int>{"max_tokens", &SamplingParams::max_tokens},
    NamedField<int>{"min_tokens", &SamplingParams::min_tokens},
    NamedField<int>{"top_k", &SamplingParams::top_k},
};
constexpr std::array kNumberFields = {
    NamedField<double>{"temperature", &SamplingParams::temperature},
    NamedField<double>{"top_p", &SamplingParams::top_p},
    NamedField<double>{"min_p", &SamplingParams::min_p},
    NamedField<double>{"presence_penalty", &SamplingParams::presence_penalty},
    NamedField<double>{"frequency_penalty", &SamplingParams::frequency_penalty},
    NamedField<double>{"repetition_penalty", &SamplingParams::repetition_penalty},
};
constexpr std::array kBoolFields = {
    NamedField<bool>{"ignore_eos", &SamplingParams::ignore_eos},
    NamedField<bool>{"include_stop_str_in_output", &SamplingParams::include_stop_str_in_output},
    NamedField<bool>{"skip_special_tokens", &SamplingParams::skip_special_tokens},
};

Status must_be(std::string_view name, std::string_view what) {
  return invalid_argument(std::string(name) + " must be " + std::string(what));
}

// The integer a number is; the nearest of [low, high] for one beyond. Empty for anything else.
std::optional<std::int64_t> nearest_integer(const nlohmann::json& value,
                                            std::int64_t low,
                                            std::int64_t high) {
  if (value.is_number_unsigned()) {
    return static_cast<std::int64_t>(
        std::min(value.get<std::uint64_t>(), static_cast<std::uint64_t>(high)));
  }
  if (value.is_number_integer()) return std::clamp(value.get<std::int64_t>(), low, high);
  // More digits than 64 bits hold are read as a float, too.
  if (!value.is_number_float()) return std::nullopt;
  const double number = value.get<double>();
  if (number != std::floor(number)) return std::nullopt;
  if (number >= static_cast<double>(high)) return high;
  if (number <= static_cast<double>(low)) return low;
  return static_cast<std::int64_t>(number);
}

Result<std::vector<std::vector<TokenId>>> read_bad_words(const nlohmann::json& words) {
  if (!words.is_array()) return must_be("bad_words", "a list of lists of token ids");
  std::vector<std::vector<TokenId>> lists;
  for (const nlohmann::json& word : words) {
    QUIRE_ASSIGN(auto ids, read_ids(word, "an entry of bad_words"));
    lists.push_back(std::move(ids));
  }
  return lists;
}

// An integer of any size modulo 2^64, negative ones wrapped, as --seed takes them.
Result<std::uint64_t> read_seed(const nlohmann::json& seed, std::string_view raw) {
  const bool negative = raw.starts_with('-');
  const std::string_view digits = raw.substr(negative ? 1 : 0);
  if (!digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos) {
    std::uint64_t value = 0;
    for (const char c : digits) value = value * 10 + static_cast<std::uint64_t>(c - '0');
    return negative ? 0 - value : value;
  }
  constexpr std::int64_t kMost = std::int64_t{1} << 53U;  // beyond, a float is no exact integer
  const auto value = nearest_integer(seed, -kMost, kMost);
  if (!value) return must_be("seed", "an integer");
  return static_cast<std::uint64_t>(*value);
}

bool is_salt(std::string_view text) {
  constexpr std::size_t kMaxBytes = 128;
  return !text.empty() && text.size() <= kMaxBytes &&
         std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

// Empty for a name that none of these fields has.
std::optional<Status> read_plain_field(const JsonObject& object,
                                       std::string_view name,
                                       GenerateRequest* request) {
  for (const auto& field : kIntFields) {
    if (name != field.name) continue;
    const auto count = read_count(object, name);
    if (count) request->params.*field.member = *count;
    return count.error();
  }
  for (const auto& field : kNumberFields) {
    if (name != field.name) continue;
    const auto number = object.number(field.name);
    if (number) request->params.*field.member = *number;
    return number.error();
  }
  for (const auto& field : kBoolFields) {
    if (name != field.name) continue;
    const auto value = object.boolean(field.name);
    if (value) request->params.*field.member = *value;
    return value.error();
  }
  return std::nullopt;
}

// Lists, maps and what belongs to the request itself; likewise.
Result<bool> read_other_field(const JsonObject& object,
                              std::string_view name,
                              std::string_view raw,
                              GenerateRequest* request) {
  SamplingParams& params = request->params;
  const nlohmann::json& value = object.value()[std::string(name)];
  if (name == "seed") {
    QUIRE_ASSIGN(params.seed, read_seed(value, raw));
  } else if (name == "stop") {
    QUIRE_ASSIGN(params.stop, read_stop(object));
  } else if (name == "logit_bias") {
    QUIRE_ASSIGN(params.logit_bias, read_logit_bias(object));
  } else if (name == "bad_words") {
    QUIRE_ASSIGN(params.bad_words, read_bad_words(value));
  } else if (name == "stop_token_ids") {
    QUIRE_ASSIGN(params.stop_token_ids, read_ids(value, name));
  } else if (name == "allowed_token_ids") {
    QUIRE_ASSIGN(params.allowed_token_ids, read_ids(value, name));
  } else if (name == "logprobs") {
    QUIRE_ASSIGN(params.logprobs, read_count(object, name));
  } else if (name == "prompt_logprobs") {
    QUIRE_ASSIGN(params.prompt_logprobs, read_count(object, name));
  } else if (name == "max_reasoning_tokens") {
    QUIRE_ASSIGN(params.max_reasoning_tokens, read_count(object, name));
  } else if (name == "priority") {
    QUIRE_ASSIGN(request->priority, read_count(object, name));
  } else if (name == "timeout_ms") {
    QUIRE_ASSIGN(request->timeout_ms, object.number("timeout_ms"));
    if (request->timeout_ms < 0) return must_be(name, "0 or more milliseconds");
  } else if (name == "cache_salt") {
    QUIRE_ASSIGN(request->cache_salt, object.string("cache_salt"));
    if (!is_salt(request->cache_salt)) return must_be(name, "1 to 128 printable ASCII characters");
  } else {
    return false;
  }
  return true;
}

}  // namespace

Result<int> read_count(const JsonObject& object, std::string_view name) {
  const auto value = nearest_integer(object.value()[std::string(name)], kIntMin, kIntMax);
  if (!value) return must_be(name, "an integer");
  return static_cast<int>(*value);
}

Result<std::vector<std::string>> read_stop(const JsonObject& object) {
  const nlohmann::json& stop = object.value()["stop"];
  std::vector<std::string> list;
  if (stop.is_string()) {
    list.push_back(stop.get<std::string>());
    return list;
  }
  if (!stop.is_array()) return must_be("stop", "a string or a list of strings");
  for (const nlohmann::json& item : stop) {
    if (!item.is_string()) return must_be("stop", "a string or a list of strings");
    list.push_back(item.get<std::string>());
  }
  return list;
}

// {"42": -1.5}: JSON's keys are strings, the ids in them decimal.
Result<std::vector<std::pair<TokenId, double>>> read_logit_bias(const JsonObject& object) {
  QUIRE_ASSIGN(const JsonObject biases, object.object("logit_bias"));
  std::vector<std::pair<TokenId, double>> list;
  for (const auto& [key, value] : biases.value().items()) {
    TokenId id = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size()) {
      return invalid_argument("logit_bias has the key \"" + key.substr(0, 40) +
                              "\", which is no token id");
    }
    QUIRE_ASSIGN(const double bias, biases.number(key.c_str()));
    list.emplace_back(id, bias);
  }
  return list;
}

Result<std::vector<TokenId>> read_ids(const nlohmann::json& list, std::string_view name) {
  if (!list.is_array()) return must_be(name, "a list of token ids");
  std::vector<TokenId> ids;
  for (const nlohmann::json& item : list) {
    // One step beyond an id's range, so that an id outside is told from the ends.
    const auto id = nearest_integer(item, kIntMin - 1, kIntMax + 1);
    if (!id || *id < kIntMin || *id > kIntMax) {
      return must_be(name, "a list of token ids; " + item.dump().substr(0, 40) + " is none");
    }
    ids.push_back(static_cast<TokenId>(*id));
  }
  return ids;
}

Result<bool> read_sampling_field(const JsonObject& object,
                                 std::string_view name,
                                 std::string_view raw,
                                 GenerateRequest* request) {
  if (const auto status = read_plain_field(object, name, request)) {
    return status->ok() ? Result<bool>(true) : Result<bool>(*status);
  }
  return read_other_field(object, name, raw, request);
}

}  // namespace quire::wire
