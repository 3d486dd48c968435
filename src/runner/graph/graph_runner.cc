#include "runner/graph/graph_runner.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/cpus.h"
#include "base/out_of_memory.h"
#include "kernels/isa.h"
#include "kernels/thread_pool.h"
#include "onnx_file/onnx_graph.h"
#include "onnx_file/onnx_inspect.h"
#include "ops/paged_graph.h"
#include "runner/graph/fusion.h"
#include "runner/graph/graph_model.h"
#include "runner/graph/layout.h"
#include "runner/paged_cache.h"
#include "runner/precision.h"

namespace quire::graph {
namespace {

// Block tables are padded to whole multiples of this many entries, so that a growing sequence
// seldom changes the shape of a step.
constexpr std::int64_t kTableStep = 16;

// The shape of a step, by which it is laid out.
struct StepShape {
  std::int64_t num_tokens = 0;
  std::int64_t num_sequences = 0;
  std::int64_t max_blocks = 0;
  std::int64_t num_logits = 0;

  bool operator==(const StepShape&) const = default;
};

class GraphRunner final : public ModelRunner {
 public:
  GraphRunner(const ModelPackage& package, const EngineOptions& options)
      : package_(package), options_(options) {}

  Status open();

  const ModelSpec& spec() const override { return spec_; }
  Status run(const ModelInput& input, std::vector<float>* logits) override;

 private:
  Status read_graph();
  Status place_caches();
  Status plan();
  Result<SampleShapes> sample_shapes();
  Status lay_out(const StepShape& shape);
  void fill_inputs(const ModelInput& input, const StepShape& shape);
  Status compute(const ModelInput& input, std::vector<float>* logits);
  const ops::Tensor& input_named(const std::string& name) const;

  ModelPackage package_;
  EngineOptions options_;
  ModelSpec spec_;
  std::optional<kernels::ThreadPool> threads_;
  ops::Environment environment_;  // before model_, whose operators refer to it
  GraphModel model_;
  std::optional<PagedCache> cache_;
  std::optional<Layout> layout_;
  std::optional<StepShape> shape_;  // that is laid out
  std::vector<ops::Tensor> inputs_;
  ops::OptionalInputs optional_;
  ops::StepIds ids_;
};

std::vector<ops::GraphValue> declared(const std::vector<onnx::OnnxValue>& values) {
  std::vector<ops::GraphValue> made;
  for (const onnx::OnnxValue& value : values) {
    const auto type = element_type(value.data_type);
    made.push_back({.name = value.name,
                    .type = type ? std::optional(*type) : std::nullopt,
                    .shape = value.shape});
  }
  return made;
}

Status GraphRunner::open() {
  QUIRE_TRY(check_precision(package_, options_));
  QUIRE_ASSIGN(environment_.isa, kernels::choose_isa_from_environment());
  environment_.block_size = options_.block_size;
  environment_.kv_dtype = choose_kv_dtype(package_, options_.kv_dtype);
  environment_.activation_bits = choose_activation_bits(options_);
  try {
    threads_.emplace(choose_num_threads(options_.num_threads), options_.pin_threads);
  } catch (const std::system_error& error) {
    return resource_exhausted("the threads cannot be started: " + error.code().message());
  }
  QUIRE_TRY(read_graph());
  QUIRE_TRY(place_caches());
  QUIRE_TRY(plan().with_context(package_.model_file.string()));
  return probe_last_position(package_.model_file, package_.max_seq_len, this);
}

Status GraphRunner::read_graph() {
  QUIRE_TRY(onnx::inspect_onnx(package_.model_file));
  QUIRE_ASSIGN(const onnx::OnnxGraph graph, onnx::read_onnx_graph(package_.model_file));
  const auto checked = ops::check_paged_graph(
      declared(graph.inputs),
      declared(graph.outputs),
      {.num_layers = package_.cache_layers.size(), .vocab_size = package_.vocab_size});
  if (!checked) return checked.error().with_context(package_.model_file.string());
  optional_ = *checked;
  environment_.packer = &*threads_;
  auto built = build_graph_model(graph, package_.model_file, &environment_);
  if (!built) return built.error().with_context(package_.model_file.string());
  model_ = *std::move(built);
  return ok_status();
}

Status GraphRunner::place_caches() {
  QUIRE_ASSIGN(PagedCache cache, PagedCache::allocate(package_, options_));
  cache_ = std::move(cache);
  for (std::size_t layer = 0; layer < cache_->keys().size(); ++layer) {
    environment_.pools[ops::key_cache_name(layer)] = {cache_->keys()[layer].data,
                                                      cache_->num_blocks()};
    environment_.pools[ops::value_cache_name(layer)] = {cache_->values()[layer].data,
                                                        cache_->num_blocks()};
  }
  for (const int input : model_.inputs) {
    const GraphValue& value = model_.values[static_cast<std::size_t>(input)];
    inputs_.push_back({.present = true, .type = value.tensor.type});
    const auto pool = environment_.pools.find(value.name);
    if (pool == environment_.pools.end()) continue;
    const bool is_key = value.name.starts_with("key");
    const auto layer =
        static_cast<std::size_t>(std::stoul(value.name.substr(value.name.find('.') + 1)));
    const PagedCache::Region& region = (is_key ? cache_->keys() : cache_->values())[layer];
    inputs_.back() = {.present = true,
                      .type = ops::ElementType::kUint8,
                      .shape = {cache_->num_blocks(), region.block_bytes},
                      .data = region.data};
  }
  spec_ = {.vocab_size = package_.vocab_size,
           .max_seq_len = package_.max_seq_len,
           .num_kv_blocks = cache_->num_blocks(),
           .block_size = options_.block_size};
  return ok_status();
}

Result<SampleShapes> GraphRunner::sample_shapes() {
  SampleShapes shapes;
  for (auto* sample : {&shapes.first, &shapes.second}) {
    const std::int64_t more = sample == &shapes.first ? 0 : 2;
    QUIRE_TRY(lay_out({.num_tokens = 11 + more,
                       .num_sequences = 2 + more / 2,
                       .max_blocks = 7 + more,
                       .num_logits = 5 + more / 2}));
    for (std::size_t i = 0; i < model_.values.size(); ++i) {
      sample->push_back(layout_->value(static_cast<int>(i)).shape);
    }
  }
  return shapes;
}

// Lays out the graph as it stands, to learn which shapes always agree, fuses, and plans again.
Status GraphRunner::plan() {
  QUIRE_ASSIGN(Layout unfused, Layout::plan(&model_));
  layout_ = std::move(unfused);
  QUIRE_ASSIGN(const SampleShapes shapes, sample_shapes());
  fuse(shapes, &environment_, &model_);
  QUIRE_ASSIGN(Layout fused, Layout::plan(&model_));
  layout_ = std::move(fused);
  shape_.reset();
  return ok_status();
}

Status GraphRunner::lay_out(const StepShape& shape) {
  if (shape_ == shape) return ok_status();
  shape_.reset();
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const std::string& name = model_.values[static_cast<std::size_t>(model_.inputs[i])].name;
    ops::Shape& dims = inputs_[i].shape;
    if (name == "cumulative_sequence_lengths") {
      dims = {shape.num_sequences + 1};
    } else if (name == "past_sequence_lengths") {
      dims = {shape.num_sequences};
    } else if (name == "block_table") {
      dims = {shape.num_sequences, shape.max_blocks};
    } else if (name == "logits_indices") {
      dims = {shape.num_logits};
    } else if (name.ends_with("_ids")) {
      dims = {shape.num_tokens};
    }
  }
  QUIRE_TRY(layout_->set_inputs(inputs_));
  shape_ = shape;
  return ok_status();
}

void GraphRunner::fill_inputs(const ModelInput& input, const StepShape& shape) {
  ids_.assign(input, optional_);
  for (const int place : model_.inputs) {
    const std::string& name = model_.values[static_cast<std::size_t>(place)].name;
    const ops::Tensor& tensor = layout_->value(place);
    if (name == "input_ids") {
      std::ranges::copy(ids_.token_ids(), writable<std::int64_t>(tensor).begin());
    } else if (name == "position_ids") {
      std::ranges::copy(ids_.position_ids(), writable<std::int64_t>(tensor).begin());
    } else if (name == "previous_ids") {
      std::ranges::copy(ids_.previous_ids(), writable<std::int64_t>(tensor).begin());
    } else if (name == "logits_indices") {
      std::ranges::copy(input.logits_indices, writable<std::int64_t>(tensor).begin());
    } else if (name == "cumulative_sequence_lengths") {
      std::ranges::copy(input.cumulative_sequence_lengths, writable<std::int32_t>(tensor).begin());
    } else if (name == "past_sequence_lengths") {
      std::ranges::copy(input.past_sequence_lengths, writable<std::int32_t>(tensor).begin());
    } else if (name == "block_table") {
      const auto table = writable<std::int32_t>(tensor);
      std::ranges::fill(table, -1);
      for (std::int64_t row = 0; row < shape.num_sequences; ++row) {
        const auto from =
            input.block_table.subspan(static_cast<std::size_t>(row * input.max_blocks),
                                      static_cast<std::size_t>(input.max_blocks));
        std::ranges::copy(from, table.begin() + row * shape.max_blocks);
      }
    }
  }
}

Status GraphRunner::compute(const ModelInput& input, std::vector<float>* logits) {
  const StepShape shape = {
      .num_tokens = static_cast<std::int64_t>(input.token_ids.size()),
      .num_sequences = static_cast<std::int64_t>(input.past_sequence_lengths.size()),
      .max_blocks = (input.max_blocks + kTableStep - 1) / kTableStep * kTableStep,
      .num_logits = static_cast<std::int64_t>(input.logits_indices.size())};
  QUIRE_TRY(lay_out(shape));
  fill_inputs(input, shape);
  logits->resize(input.logits_indices.size() * static_cast<std::size_t>(spec_.vocab_size));
  const int output = model_.outputs[0];
  const ops::Tensor& made = layout_->value(output);
  if (made.type != ops::ElementType::kFloat32 || made.shape.num_elements() != logits->size()) {
    return internal_error("the graph's logits have shape " + made.shape.text() +
                          "; export the model again");
  }
  const bool placed = layout_->place_output(output, logits->data());
  for (Layout::Step& step : layout_->steps()) {
    const Status status = step.node->op->run(*threads_, step.inputs, step.outputs);
    if (!status.ok()) return status.with_context(step.node->name);
  }
  if (!placed) std::ranges::copy(made.elements<float>(), logits->begin());
  return ok_status();
}

Status GraphRunner::run(const ModelInput& input, std::vector<float>* logits) {
  return ops::step_failure(fail_if_out_of_memory([&] { return compute(input, logits); }));
}

}  // namespace

Result<std::unique_ptr<ModelRunner>> open_graph_runner(const ModelPackage& package,
                                                       const EngineOptions& options) {
  auto runner = std::make_unique<GraphRunner>(package, options);
  QUIRE_TRY(fail_if_out_of_memory([&] { return runner->open(); }));
  return std::unique_ptr<ModelRunner>(std::move(runner));
}

}  // namespace quire::graph
