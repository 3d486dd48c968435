#include "cli/sampling_flags.h"

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

namespace quire::cli {

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
      ->add_option_function<std::uint64_t>(
          "--seed",
          [params](const std::uint64_t& seed) { params->seed = seed; },
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

}  // namespace quire::cli
