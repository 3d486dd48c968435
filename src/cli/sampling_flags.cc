#include "cli/sampling_flags.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdint>
#include <string>
#include <system_error>

namespace quire::cli {
namespace {

// By hand: CLI11 takes a number past 2^64 for the largest there is. Negative ones wrap, as in JSON.
void read_seed(const std::string& text, SamplingParams* params) {
  const char* const end = text.data() + text.size();
  std::uint64_t seed = 0;
  std::int64_t negative = 0;
  if (const auto read = std::from_chars(text.data(), end, seed);
      read.ec == std::errc() && read.ptr == end) {
    params->seed = seed;
  } else if (const auto again = std::from_chars(text.data(), end, negative);
             again.ec == std::errc() && again.ptr == end) {
    params->seed = static_cast<std::uint64_t>(negative);
  } else {
    throw CLI::ValidationError("--seed", text.substr(0, 40) + " is no integer of 64 bits");
  }
}

}  // namespace

void add_sampling_flags(CLI::App* command, SamplingParams* params) {
  const char* const group = "Sampling options";
  const auto add = [command, group](const char* name, auto& value, const char* what) {
    command->add_option(name, value, what)->group(group)->capture_default_str();
  };
  add("-n,--max-tokens", params->max_tokens, "New tokens at most");
  add("--min-tokens", params->min_tokens, "New tokens at least");
  add("--num-samples", params->n, "Answers a prompt");
  add("--temperature", params->temperature, "0: always the best token");
  add("--top-k", params->top_k, "Draw from the k best tokens; 0: all");
  add("--top-p", params->top_p, "Draw from the best tokens that make up this probability");
  add("--min-p", params->min_p, "Leave out tokens below this share of the best one's probability");
  add("--presence-penalty", params->presence_penalty, "Against tokens that occurred");
  add("--frequency-penalty",
      params->frequency_penalty,
      "Against tokens, by how often they occurred");
  add("--repetition-penalty",
      params->repetition_penalty,
      "Above 1: against tokens seen, prompt too");
  command
      ->add_option_function<std::string>(
          "--seed",
          [params](const std::string& text) { read_seed(text, params); },
          "The same seed draws the same tokens")
      ->group(group);
  command->add_option("--stop", params->stop, "A string that ends the text; may be given again")
      ->group(group)
      ->allow_extra_args(false);
  command->add_flag("--ignore-eos", params->ignore_eos, "Go on after the end of sequence")
      ->group(group);
  command
      ->add_option_function<int>(
          "--logprobs",
          [params](const int& count) { params->logprobs = count; },
          "With --json: log-probabilities of this many best tokens at each step")
      ->group(group);
}

SamplingParams recommended_or_given(const CLI::App& command,
                                    const SamplingParams& given,
                                    const Llm& llm) {
  SamplingParams params = given;
  const SamplingParams& recommended = llm.recommended_params();
  const auto keep_recommended = [&](const char* flag, auto SamplingParams::* member) {
    if (command.count(flag) == 0) params.*member = recommended.*member;
  };
  keep_recommended("--temperature", &SamplingParams::temperature);
  keep_recommended("--top-k", &SamplingParams::top_k);
  keep_recommended("--top-p", &SamplingParams::top_p);
  keep_recommended("--min-p", &SamplingParams::min_p);
  keep_recommended("--repetition-penalty", &SamplingParams::repetition_penalty);
  if (command.count("--max-tokens") == 0) {
    params.max_tokens = llm.recommended_max_tokens().value_or(params.max_tokens);
  }
  return params;
}

}  // namespace quire::cli
