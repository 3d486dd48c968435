#include "wire/sampling_json.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
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

Status read_count(const JsonObject& object, const char* name, std::optional<int>* out) {
  QUIRE_ASSIGN(const std::int64_t value, object.integer(name, kIntMin, kIntMax));
  *out = static_cast<int>(value);
  return ok_status();
}

Status read_ids(const JsonObject& object, const char* name, std::vector<TokenId>* out) {
  QUIRE_ASSIGN(const auto ids, object.integers(name, kIntMin, kIntMax));
  out->assign(ids.begin(), ids.end());
  return ok_status();
}

Status read_stop(const JsonObject& object, std::vector<std::string>* out) {
  const nlohmann::json& stop = object.value()["stop"];
  out->clear();
  if (stop.is_string()) {
    out->push_back(stop.get<std::string>());
    return ok_status();
  }
  if (!stop.is_array()) return invalid_argument("stop must be a string or a list of strings");
  for (const nlohmann::json& item : stop) {
    if (!item.is_string()) return invalid_argument("stop must be a string or a list of strings");
    out->push_back(item.get<std::string>());
  }
  return ok_status();
}

// {"42": -1.5}: JSON's keys are strings, the ids in them decimal.
Status read_logit_bias(const JsonObject& object, std::vector<std::pair<TokenId, double>>* out) {
  QUIRE_ASSIGN(const JsonObject biases, object.object("logit_bias"));
  out->clear();
  for (const auto& [key, value] : biases.value().items()) {
    TokenId id = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size()) {
      return invalid_argument("logit_bias has the key \"" + key.substr(0, 40) +
                              "\", which is no token id");
    }
    QUIRE_ASSIGN(const double bias, biases.number(key.c_str()));
    out->emplace_back(id, bias);
  }
  return ok_status();
}

Status read_bad_words(const JsonObject& object, std::vector<std::vector<TokenId>>* out) {
  QUIRE_ASSIGN(const nlohmann::json* words, object.array("bad_words"));
  out->clear();
  for (const nlohmann::json& word : *words) {
    const nlohmann::json wrapped = {{"ids", word}};
    QUIRE_ASSIGN(const JsonObject holder, JsonObject::of(wrapped, "an entry of bad_words"));
    out->emplace_back();
    QUIRE_TRY(read_ids(holder, "ids", &out->back()));
  }
  return ok_status();
}

Status read_seed(const JsonObject& object, SamplingParams* params) {
  const nlohmann::json& seed = object.value()["seed"];
  if (!seed.is_number_integer()) return invalid_argument("seed must be an integer");
  params->seed = seed.is_number_unsigned() ? seed.get<std::uint64_t>()
                                           : static_cast<std::uint64_t>(seed.get<std::int64_t>());
  return ok_status();
}

// The fields that are not plain numbers or switches; false in `known` for any other.
Status read_other(const JsonObject& object,
                  std::string_view name,
                  GenerateRequest* request,
                  bool* known) {
  SamplingParams& params = request->params;
  *known = true;
  if (name == "seed") return read_seed(object, &params);
  if (name == "stop") return read_stop(object, &params.stop);
  if (name == "logit_bias") return read_logit_bias(object, &params.logit_bias);
  if (name == "bad_words") return read_bad_words(object, &params.bad_words);
  if (name == "stop_token_ids") return read_ids(object, "stop_token_ids", &params.stop_token_ids);
  if (name == "allowed_token_ids") {
    return read_ids(object, "allowed_token_ids", &params.allowed_token_ids);
  }
  if (name == "logprobs") return read_count(object, "logprobs", &params.logprobs);
  if (name == "prompt_logprobs") {
    return read_count(object, "prompt_logprobs", &params.prompt_logprobs);
  }
  if (name == "priority") {
    QUIRE_ASSIGN(const std::int64_t priority, object.integer("priority", kIntMin, kIntMax));
    request->priority = static_cast<int>(priority);
    return ok_status();
  }
  if (name == "cache_salt") {
    QUIRE_ASSIGN(request->cache_salt, object.string("cache_salt"));
    return ok_status();
  }
  *known = name == "prompt" || name == "messages" || name == "token_ids";
  return ok_status();
}

Status read_field(const JsonObject& object, const std::string& name, GenerateRequest* request) {
  for (const auto& field : kIntFields) {
    if (name != field.name) continue;
    QUIRE_ASSIGN(const std::int64_t value, object.integer(field.name, kIntMin, kIntMax));
    request->params.*field.member = static_cast<int>(value);
    return ok_status();
  }
  for (const auto& field : kNumberFields) {
    if (name != field.name) continue;
    QUIRE_ASSIGN(request->params.*field.member, object.number(field.name));
    return ok_status();
  }
  for (const auto& field : kBoolFields) {
    if (name != field.name) continue;
    QUIRE_ASSIGN(request->params.*field.member, object.boolean(field.name));
    return ok_status();
  }
  bool known = false;
  QUIRE_TRY(read_other(object, name, request, &known));
  return known ? ok_status()
               : invalid_argument("the field \"" + name.substr(0, 60) + "\" is not known");
}

}  // namespace

Status read_sampling_fields(const JsonObject& object, GenerateRequest* request) {
  for (const auto& [name, value] : object.value().items()) {
    if (!value.is_null()) QUIRE_TRY(read_field(object, name, request));
  }
  return ok_status();
}

}  // namespace quire::wire
