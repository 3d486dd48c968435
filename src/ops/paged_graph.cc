#include "ops/paged_graph.h"

#include <array>
#include <numeric>
#include <string_view>

namespace quire::ops {
namespace {

struct KnownInput {
  std::string_view name;
  ElementType type;
};
constexpr std::array<KnownInput, 5> kStepInputs = {{
    {"input_ids", ElementType::kInt64},
    {"cumulative_sequence_lengths", ElementType::kInt32},
    {"past_sequence_lengths", ElementType::kInt32},
    {"block_table", ElementType::kInt32},
    {"logits_indices", ElementType::kInt64},
}};
// What only some graphs have: learned positions, and nanochat's mixing with the token before.
constexpr std::array<KnownInput, 2> kOptionalInputs = {{
    {"position_ids", ElementType::kInt64},
    {"previous_ids", ElementType::kInt64},
}};

Status check_input(const GraphValue& input) {
  for (const auto& known_inputs :
       {std::span<const KnownInput>(kStepInputs), std::span<const KnownInput>(kOptionalInputs)}) {
    for (const KnownInput& known : known_inputs) {
      if (input.name != known.name) continue;
      if (input.type == known.type) return ok_status();
      return bad_model("the graph's input " + input.name + " has the wrong element type");
    }
  }
  if (input.name.starts_with("key_cache.") || input.name.starts_with("value_cache.")) {
    return ok_status();
  }
  return bad_model("the graph has the input \"" + input.name.substr(0, 200) +
                   "\", which paged graphs do not have");
}

bool has(std::span<const GraphValue> values, std::string_view name) {
  return std::ranges::any_of(values, [&](const GraphValue& v) { return v.name == name; });
}

}  // namespace

Result<OptionalInputs> check_paged_graph(std::span<const GraphValue> inputs,
                                         std::span<const GraphValue> outputs,
                                         const PagedGraphPromise& promise) {
  for (const GraphValue& input : inputs) QUIRE_TRY(check_input(input));
  const OptionalInputs optional{.position_ids = has(inputs, "position_ids"),
                                .previous_ids = has(inputs, "previous_ids")};
  const std::size_t expected = kStepInputs.size() + 2 * promise.num_layers +
                               (optional.position_ids ? 1 : 0) + (optional.previous_ids ? 1 : 0);
  if (inputs.size() != expected) {
    return bad_model("the graph has " + std::to_string(inputs.size()) + " inputs instead of " +
                     std::to_string(expected) + " for " + std::to_string(promise.num_layers) +
                     " layers");
  }
  if (outputs.size() != 1 || outputs.front().name != "logits") {
    return bad_model("the graph must have one output, \"logits\"");
  }
  const std::vector<std::int64_t>& shape = outputs.front().shape;
  if (shape.size() == 2 && shape[1] >= 0 && shape[1] != promise.vocab_size) {
    return bad_model("the graph's logits are " + std::to_string(shape[1]) +
                     " wide, but model_info.json says " + std::to_string(promise.vocab_size));
  }
  return optional;
}

std::string key_cache_name(std::size_t layer) { return "key_cache." + std::to_string(layer); }
std::string value_cache_name(std::size_t layer) { return "value_cache." + std::to_string(layer); }

void StepIds::assign(const ModelInput& input, const OptionalInputs& optional) {
  token_ids_.assign(input.token_ids.begin(), input.token_ids.end());
  if (optional.previous_ids) {
    previous_ids_.assign(input.previous_ids.begin(), input.previous_ids.end());
  }
  if (!optional.position_ids) return;
  position_ids_.resize(input.token_ids.size());
  for (std::size_t i = 0; i < input.past_sequence_lengths.size(); ++i) {
    const auto begin = position_ids_.begin() + input.cumulative_sequence_lengths[i];
    const auto end = position_ids_.begin() + input.cumulative_sequence_lengths[i + 1];
    std::iota(begin, end, std::int64_t{input.past_sequence_lengths[i]});
  }
}

Status step_failure(const Status& status) {
  if (status.ok() || status.code() == StatusCode::kResourceExhausted) return status;
  return internal_error("the model step failed: " + status.message())
      .with_next_step("export the model again, or try another option backend");
}

}  // namespace quire::ops
