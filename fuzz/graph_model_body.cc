#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/out_of_memory.h"
#include "fuzz/fuzz_bodies.h"
#include "fuzz/temp_folder.h"
#include "kernels/executor.h"
#include "onnx_file/onnx_inspect.h"
#include "runner/graph/graph_model.h"
#include "runner/graph/layout.h"

namespace quire::fuzz {
namespace {

constexpr std::int64_t kBlocks = 4;
constexpr std::int64_t kBlockBytes = 1024;
constexpr std::size_t kMostBytes = std::size_t{1} << 26;  // of one value, so that a run stays short

// Two sequences, of 3 tokens and of 2, one of them with a past.
ops::Tensor input_of(const graph::GraphValue& value, std::vector<std::uint8_t>* cache) {
  ops::Tensor tensor = {.present = true, .type = value.tensor.type, .shape = {5}};
  if (value.name == "cumulative_sequence_lengths") tensor.shape = {3};
  if (value.name == "past_sequence_lengths") tensor.shape = {2};
  if (value.name == "block_table") tensor.shape = {2, 2};
  if (value.name.find("_cache.") == std::string::npos) return tensor;
  cache->resize(kBlocks * kBlockBytes);
  tensor.shape = {kBlocks, kBlockBytes};
  tensor.data = cache->data();
  return tensor;
}

Status run(const std::filesystem::path& path) {
  QUIRE_TRY(onnx::inspect_onnx(path));
  QUIRE_ASSIGN(const onnx::OnnxGraph file, onnx::read_onnx_graph(path));
  ops::Environment environment;
  QUIRE_ASSIGN(auto model, graph::build_graph_model(file, path, &environment));
  std::vector<std::vector<std::uint8_t>> caches(model.inputs.size());
  std::vector<ops::Tensor> inputs;
  for (std::size_t i = 0; i < model.inputs.size(); ++i) {
    const auto& value = model.values[static_cast<std::size_t>(model.inputs[i])];
    inputs.push_back(input_of(value, &caches[i]));
    if (inputs.back().data != nullptr) {
      environment.pools[value.name] = {.data = inputs.back().data, .num_blocks = kBlocks};
    }
  }
  QUIRE_ASSIGN(auto layout, graph::Layout::plan(&model));
  QUIRE_TRY(layout.set_inputs(inputs));
  for (const auto& step : layout.steps()) {
    for (const ops::Tensor& output : step.outputs) {
      if (output.bytes().size() > kMostBytes) return ok_status();
    }
  }
  kernels::SerialExecutor executor;
  for (auto& step : layout.steps()) {
    QUIRE_TRY(step.node->op->run(executor, step.inputs, step.outputs));
  }
  return ok_status();
}

}  // namespace

void graph_model(std::string_view input) {
  static const TempFolder folder;
  const auto path = folder.write("model.onnx", input);
  const Status status = fail_if_out_of_memory([&] { return run(path); });
  QUIRE_CHECK(status.message().find('\n') == std::string::npos, "one line says why");
}

}  // namespace quire::fuzz
