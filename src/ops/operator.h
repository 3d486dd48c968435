#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kernels/attention_call.h"
#include "kernels/kernel_context.h"
#include "kernels/kernel_table.h"
#include "ops/attributes.h"
#include "ops/tensor.h"
#include "quire/result.h"

// The operators of domain "quire", version 1 (docs/model_package.md, "The paged graph"), without a
// runtime: the own executor calls them, and the adapters of ONNX Runtime and LibTorch translate
// their tensors and errors to and from them.
namespace quire::ops {

// The memory of one cache input: `num_blocks` blocks of kernels::block_bytes().
struct CachePool {
  const void* data = nullptr;
  std::int64_t num_blocks = 0;
};

// Where an operator's packed weights come to lie, and what is told once a piece of the plain ones
// has been read. With neither, operators own their weights.
struct WeightMemory {
  std::function<std::byte*(std::size_t bytes)> take;  // aligned to 64; null: no memory
  std::function<void(std::span<const std::byte>)> done_with;
};

// What the operators of one runner share. Outlives them all. They must run one at a time, because
// they share scratch memory.
struct Environment {
  kernels::Isa isa = kernels::Isa::kPortable;
  std::int64_t block_size = 16;
  kernels::KvDtype kv_dtype = kernels::KvDtype::kFloat32;
  // Of rows that meet 4- and 8-bit weights; nothing: what each node says.
  std::optional<kernels::ActivationBits> activation_bits = {};
  // Where each cache input must lie, by its name in the graph; for a graph without names under any
  // name. Attention writes into these inputs in place: were one a copy that a runtime had slipped
  // in, the writes would be lost silently. So it refuses any other address.
  std::unordered_map<std::string, CachePool> pools = {};
  WeightMemory weight_memory = {};
  kernels::Executor* packer = nullptr;  // threads to pack weights with; null: the calling one
  kernels::Workspace workspace = {};
  std::atomic_flag busy = ATOMIC_FLAG_INIT;
  std::atomic<std::int64_t> weight_bytes = 0;  // packed, that the operators made so far hold
};

// An input of a node, as far as the graph tells before anything is computed.
struct NodeInput {
  std::string name = {};  // in the graph; empty in a graph without names
  bool present = false;   // false: an optional input that is left out
  Tensor constant = {};   // present where the graph itself has the value
};

// A node of a graph.
struct Node {
  Attributes attributes;
  std::vector<NodeInput> inputs;  // in the operator's order; those left out at the end may miss

  const NodeInput& input(std::size_t index) const;
};

// A node ready to run: its attributes checked, its weights packed.
class Operator {
 public:
  Operator() = default;
  Operator(const Operator&) = delete;
  Operator& operator=(const Operator&) = delete;
  virtual ~Operator() = default;

  // The shape of the output, float32 always; every check of types and shapes is here. Fails with
  // kBadModel, or kInternal for a cache that is not the runner's.
  virtual Result<Shape> output_shape(std::span<const Tensor> inputs) const = 0;

  // Computes `output`, of output_shape(inputs). `inputs` has an entry for each of the operator's
  // inputs and has passed output_shape(). Fails with kInvalidArgument on values out of bounds.
  // Throws std::bad_alloc when the workspace cannot grow.
  virtual Status run(kernels::Executor& executor,
                     std::span<const Tensor> inputs,
                     std::span<float> output) = 0;
};

// Runs the operator the way an adapter does, as one run at a time: kInternal while another one
// holds the scratch memory, kResourceExhausted when there is no memory.
Status run_alone(Environment* environment,
                 Operator* op,
                 kernels::Executor& executor,
                 std::span<const Tensor> inputs,
                 std::span<float> output);

// What a graph format needs to know of an operator.
struct InputSpec {
  // What its elements may be; kWeight: any of a weight's.
  enum class Elements : std::uint8_t { kFloat32, kFloat16, kUint8, kInt32, kInt64, kWeight };
  Elements elements = Elements::kFloat32;
  bool optional = false;
};

struct OperatorSpec {
  std::string_view name;
  std::span<const InputSpec> inputs;
  std::span<const std::string_view> attributes;  // all it may have
  // The operator of a node. The environment outlives it, and so must constant inputs unless the
  // weights are packed. Fails with kBadModel.
  Result<std::unique_ptr<Operator>> (*make)(const Node& node, Environment* environment);
};

// Every operator, once.
std::span<const OperatorSpec> operator_table();
// Null for a name that there is none of.
const OperatorSpec* find_operator(std::string_view name);

}  // namespace quire::ops
