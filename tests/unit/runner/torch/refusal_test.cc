#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/from_blob.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "package/model_package.h"
#include "runner/torch/torch_ops.h"
#include "support/op_refusals.h"

namespace quire::torch_backend {
namespace {

using test_support::OpCase;
using test_support::OpInput;

at::ScalarType scalar_type(ops::ElementType type) {
  switch (type) {
    case ops::ElementType::kFloat32:
      return at::kFloat;
    case ops::ElementType::kFloat16:
      return at::kHalf;
    case ops::ElementType::kInt8:
      return at::kChar;
    case ops::ElementType::kUint8:
      return at::kByte;
    case ops::ElementType::kInt32:
      return at::kInt;
    default:
      return at::kLong;
  }
}

// What LibTorch calls an operator, and its attributes in the order of its schema.
struct Schema {
  const char* name;
  std::vector<std::string> attributes;
};
const std::map<std::string, Schema> kSchemas = {
    {"Linear", {"quire::linear", {"K", "activation_bits"}}},
    {"Embedding", {"quire::embedding", {"K"}}},
    {"RMSNorm", {"quire::rms_norm", {"epsilon"}}},
    {"LayerNorm", {"quire::layer_norm", {"epsilon"}}},
    {"Activation", {"quire::activation", {"kind"}}},
    {"GatedActivation", {"quire::gated_activation", {"kind"}}},
    {"SoftCap", {"quire::soft_cap", {"cap"}}},
    {"PagedAttention",
     {"quire::paged_attention",
      {"num_heads",
       "kv_num_heads",
       "scale",
       "softcap",
       "local_window_size",
       "do_rotary",
       "rotary_interleaved"}}},
};

c10::IValue value_of(const std::string& name, const ops::Attributes::Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    return name.find("rotary") != std::string::npos ? c10::IValue(*integer != 0)
                                                    : c10::IValue(*integer);
  }
  if (const auto* real = std::get_if<float>(&value)) return {static_cast<double>(*real)};
  return {std::get<std::string>(value)};
}

// The message of the adapter; empty when the node ran.
std::string run_in_libtorch(const OpCase& c) {
  ModelPackage package;
  package.cache_layers = {{.num_kv_heads = 1, .head_dim = 4}};
  package.max_seq_len = 64;
  package.quantization = "none";
  const auto cache = PagedCache::allocate(
      package, {.num_kv_blocks = test_support::kCaseBlocks, .kv_dtype = "fp32"});
  if (!cache) return cache.error().message();
  OpsState state(kernels::Isa::kPortable, test_support::kCaseBlockSize, &*cache);
  std::vector<std::vector<std::byte>> memory(c.inputs.size());
  torch::jit::Stack stack;
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    const OpInput& input = c.inputs[i];
    if (!input.present) {
      stack.emplace_back();
      continue;
    }
    memory[i] = bytes_of(input);
    void* data = memory[i].data();
    if (is_cache(c, i) && !c.foreign_cache)
      data = (i == 3 ? cache->keys() : cache->values())[0].data;
    stack.emplace_back(at::from_blob(data, input.dims, at::TensorOptions(scalar_type(input.type))));
  }
  const Schema& schema = kSchemas.at(c.op);
  for (const std::string& name : schema.attributes) {
    stack.push_back(value_of(name, c.attributes.at(name)));
  }
  try {
    const OpsState::Scope scope(&state);
    c10::Dispatcher::singleton().findSchemaOrThrow(schema.name, "").callBoxed(&stack);
  } catch (const std::exception& error) {
    const Status failure = state.take_failure();
    return failure.ok() ? error.what() : failure.message();
  }
  return "";
}

TEST(TorchRefusalTest, TheAdapterRunsTheGoodNodes) {
  for (const OpCase& c : test_support::good_op_cases()) EXPECT_EQ(run_in_libtorch(c), "") << c.name;
}

TEST(TorchRefusalTest, TheAdapterRefusesEveryWrongNodeAsTheOwnExecutorDoes) {
  for (const OpCase& c : test_support::bad_op_cases()) {
    if (!c.by_torch) continue;
    const std::string message = run_in_libtorch(c);
    EXPECT_NE(message.find(c.words), std::string::npos)
        << c.name << ": " << (message.empty() ? "it ran" : message);
    EXPECT_NE(message, "") << c.name;
  }
}

}  // namespace
}  // namespace quire::torch_backend
