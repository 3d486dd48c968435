#include <algorithm>
#include <array>
#include <span>

#include "base/out_of_memory.h"
#include "ops/activations.h"
#include "ops/embedding.h"
#include "ops/linear.h"
#include "ops/norms.h"
#include "ops/operator.h"
#include "ops/paged_attention.h"

namespace quire::ops {
namespace {

using enum InputSpec::Elements;

constexpr InputSpec kAttentionInputs[] = {{kFloat32},         // query, or packed query, key, value
                                          {kFloat32, true},   // key
                                          {kFloat32, true},   // value
                                          {kUint8},           // key_cache
                                          {kUint8},           // value_cache
                                          {kInt32},           // cumulative_sequence_lengths
                                          {kInt32},           // past_sequence_lengths
                                          {kInt32},           // block_table
                                          {kFloat32, true},   // cos
                                          {kFloat32, true},   // sin
                                          {kFloat32, true}};  // head_sink
constexpr std::string_view kAttentionAttributes[] = {"num_heads",
                                                     "kv_num_heads",
                                                     "scale",
                                                     "softcap",
                                                     "local_window_size",
                                                     "do_rotary",
                                                     "rotary_interleaved"};
// x, weight, scale, min, bias
constexpr InputSpec kLinearInputs[] = {
    {kFloat32}, {kWeight}, {kFloat16, true}, {kFloat16, true}, {kFloat32, true}};
constexpr std::string_view kLinearAttributes[] = {
    "K", "N", "bits", "block_size", "activation_bits"};
// ids, weight, scale, min
constexpr InputSpec kEmbeddingInputs[] = {{kInt64}, {kWeight}, {kFloat16, true}, {kFloat16, true}};
constexpr std::string_view kEmbeddingAttributes[] = {"K", "N", "bits", "block_size"};
constexpr InputSpec kRmsNormInputs[] = {{kFloat32}, {kFloat32}};
constexpr InputSpec kLayerNormInputs[] = {{kFloat32}, {kFloat32}, {kFloat32, true}};
constexpr std::string_view kNormAttributes[] = {"epsilon"};
constexpr InputSpec kRows[] = {{kFloat32}};
constexpr std::string_view kKind[] = {"kind"};
constexpr std::string_view kCap[] = {"cap"};

constexpr std::array<OperatorSpec, 9> kTable = {{
    {"PagedAttention", kAttentionInputs, kAttentionAttributes, &PagedAttention::make},
    {"Linear", kLinearInputs, kLinearAttributes, &Linear::make},
    {"Embedding", kEmbeddingInputs, kEmbeddingAttributes, &Embedding::make},
    {"RMSNorm", kRmsNormInputs, kNormAttributes, &RmsNorm::make},
    {"LayerNorm", kLayerNormInputs, kNormAttributes, &LayerNorm::make},
    {"Activation", kRows, kKind, &Activation::make_plain},
    {"GatedActivation", kRows, kKind, &Activation::make_gated},
    {"SwiGLU", kRows, {}, &Activation::make_swiglu},
    {"SoftCap", kRows, kCap, &Activation::make_soft_cap},
}};

}  // namespace

const NodeInput& Node::input(std::size_t index) const {
  static const NodeInput kLeftOut;
  return index < inputs.size() ? inputs[index] : kLeftOut;
}

std::span<const OperatorSpec> operator_table() { return kTable; }

const OperatorSpec* find_operator(std::string_view name) {
  const std::span table(kTable);
  const auto found = std::ranges::find(table, name, &OperatorSpec::name);
  return found == table.end() ? nullptr : &*found;
}

Status run_alone(Environment* environment,
                 Operator* op,
                 kernels::Executor& executor,
                 std::span<const Tensor> inputs,
                 std::span<float> output) {
  if (environment->busy.test_and_set(std::memory_order_acquire)) {
    return internal_error("two runs overlap; sessions of one runner must run one at a time");
  }
  Status status = fail_if_out_of_memory([&] { return op->run(executor, inputs, output); });
  environment->busy.clear(std::memory_order_release);
  return status;
}

}  // namespace quire::ops
