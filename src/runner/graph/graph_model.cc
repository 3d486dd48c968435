#include "runner/graph/graph_model.h"

#include <sys/mman.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "ops/embedding.h"
#include "ops/linear.h"
#include "ops/weights.h"
#include "runner/graph/initializers.h"
#include "runner/graph/quire_operator.h"

namespace quire::graph {
namespace {

constexpr std::size_t kAlignment = 64;
// A model of a hundred layers has some thousands.
constexpr std::size_t kMaxNodes = 50'000;

std::string name_of(const onnx::OnnxNode& node) {
  return "node " + (node.name.empty() ? node.op_type : node.name).substr(0, 200);
}

class Builder {
 public:
  Builder(const onnx::OnnxGraph& graph,
          const Initializers& initializers,
          ops::Environment* environment)
      : graph_(graph), initializers_(initializers), environment_(environment) {}

  Result<GraphModel> build();

 private:
  Status build_parts();
  Status add_inputs();
  Status reserve_weights();
  Status add_node(const onnx::OnnxNode& node);
  Result<ops::Node> own_node(const ops::OperatorSpec& spec, const onnx::OnnxNode& node);
  Result<std::unique_ptr<GraphOperator>> make_own(const onnx::OnnxNode& node);
  Status connect(const onnx::OnnxNode& node, const ops::OperatorSpec* spec, GraphNode* made);
  Result<int> value_of(const std::string& name);
  Result<int> new_value(const std::string& name, GraphValue::Source source);
  void share_tables();
  void copy_table(ops::Embedding* embedding);

  const onnx::OnnxGraph& graph_;
  const Initializers& initializers_;
  ops::Environment* environment_;
  GraphModel model_;
  std::unordered_map<std::string, int> places_;
  std::size_t weights_used_ = 0;
  // Packed matrices by their plain bytes, and tables that may be one of them.
  std::unordered_map<const void*, const kernels::PackedLinear*> packed_;
  std::vector<ops::Embedding*> tables_;
};

Result<int> Builder::new_value(const std::string& name, GraphValue::Source source) {
  const auto place = static_cast<int>(model_.values.size());
  if (!places_.emplace(name, place).second) {
    return bad_model("the value " + name.substr(0, 200) + " is made twice");
  }
  model_.values.push_back({.name = name, .source = source});
  return place;
}

// The value of a node's input. A constant is copied when a node first asks for it as a value; the
// weights that operators pack are never asked for.
Result<int> Builder::value_of(const std::string& name) {
  const auto known = places_.find(name);
  if (known != places_.end()) return known->second;
  const ops::Tensor* constant = initializers_.find(name);
  if (constant == nullptr) {
    return bad_model("the value " + name.substr(0, 200) + " is used before it is made");
  }
  QUIRE_ASSIGN(const int place, new_value(name, GraphValue::Source::kConstant));
  model_.values.back().tensor = copy_tensor(*constant, &model_.constants);
  initializers_.drop(constant->bytes());
  return place;
}

Status Builder::add_inputs() {
  for (const onnx::OnnxValue& input : graph_.inputs) {
    if (initializers_.find(input.name) != nullptr) continue;  // an old way to give a default
    QUIRE_ASSIGN(const int place, new_value(input.name, GraphValue::Source::kInput));
    QUIRE_ASSIGN(model_.values.back().tensor.type, element_type(input.data_type));
    model_.inputs.push_back(place);
  }
  return ok_status();
}

Result<ops::Node> Builder::own_node(const ops::OperatorSpec& spec, const onnx::OnnxNode& node) {
  ops::Node made;
  for (const onnx::OnnxAttribute& attribute : node.attributes) {
    if (std::ranges::find(spec.attributes, attribute.name) == spec.attributes.end()) {
      return bad_model("attribute " + attribute.name.substr(0, 64) + " is not known");
    }
    if (const auto* integer = std::get_if<std::int64_t>(&attribute.value)) {
      made.attributes.set(attribute.name, *integer);
    } else if (const auto* number = std::get_if<float>(&attribute.value)) {
      made.attributes.set(attribute.name, *number);
    } else if (const auto* text = std::get_if<std::string>(&attribute.value)) {
      made.attributes.set(attribute.name, *text);
    } else {
      return bad_model("attribute " + attribute.name.substr(0, 64) +
                       " has a kind that is not known");
    }
  }
  if (node.inputs.size() > spec.inputs.size() || node.outputs.size() != 1) {
    return bad_model("it has " + std::to_string(node.inputs.size()) + " inputs and " +
                     std::to_string(node.outputs.size()) + " outputs");
  }
  for (std::size_t i = 0; i < spec.inputs.size(); ++i) {
    ops::NodeInput input;
    if (i < node.inputs.size()) input.name = node.inputs[i];
    input.present = !input.name.empty();
    const ops::Tensor* constant = input.present ? initializers_.find(input.name) : nullptr;
    if (constant != nullptr) input.constant = *constant;
    if (!input.present && !spec.inputs[i].optional) {
      return bad_model("its input " + std::to_string(i) + " is missing");
    }
    made.inputs.push_back(std::move(input));
  }
  return made;
}

// All packed weights lie in one region, in the order in which a step reads them, in large pages
// where the system has them: one stream for the memory to deliver.
Status Builder::reserve_weights() {
  std::size_t total = 0;
  for (const onnx::OnnxNode& node : graph_.nodes) {
    if (node.domain != "quire" || node.op_type != "Linear") continue;
    const auto read = own_node(*ops::find_operator("Linear"), node);
    if (!read) return read.error().with_context(name_of(node));
    const auto bytes = ops::linear_weight_bytes(*read);
    if (!bytes) return bytes.error().with_context(name_of(node));
    if (__builtin_add_overflow(
            total, (*bytes + kAlignment - 1) / kAlignment * kAlignment, &total)) {
      return bad_model("the weights are larger than any memory");
    }
  }
  if (total == 0) return ok_status();
  if (total > available_memory_bytes()) {
    return resource_exhausted("the weights take " + std::to_string(total >> 20U) +
                              " MiB, more than the machine has left");
  }
  QUIRE_ASSIGN(MemoryRegion region, MemoryRegion::map(total));
#if defined(MADV_HUGEPAGE)
  madvise(region.data(), region.size(), MADV_HUGEPAGE);
#endif
  model_.weights = std::make_unique<MemoryRegion>(std::move(region));
  environment_->weight_memory.take = [this](std::size_t bytes) {
    std::byte* memory = model_.weights->data() + weights_used_;
    weights_used_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
    return memory;
  };
  environment_->weight_memory.done_with = [this](std::span<const std::byte> range) {
    initializers_.drop(range);
  };
  return ok_status();
}

Result<std::unique_ptr<GraphOperator>> Builder::make_own(const onnx::OnnxNode& node) {
  const ops::OperatorSpec* spec = ops::find_operator(node.op_type);
  if (spec == nullptr) {
    return bad_model("there is no operator quire::" + node.op_type.substr(0, 64));
  }
  QUIRE_ASSIGN(const ops::Node read, own_node(*spec, node));
  QUIRE_ASSIGN(std::unique_ptr<ops::Operator> op, spec->make(read, environment_));
  if (auto* linear = dynamic_cast<ops::Linear*>(op.get())) {
    packed_.emplace(read.input(ops::kWeight).constant.data, &linear->weights());
  }
  if (auto* table = dynamic_cast<ops::Embedding*>(op.get())) tables_.push_back(table);
  return std::unique_ptr<GraphOperator>(new QuireOperator(std::move(op)));
}

// Inputs that a Linear has packed and a table that an Embedding reads are the operator's own.
Status Builder::connect(const onnx::OnnxNode& node,
                        const ops::OperatorSpec* spec,
                        GraphNode* made) {
  const bool has_weights = spec != nullptr && (spec->name == "Linear" || spec->name == "Embedding");
  const std::size_t count = spec == nullptr ? node.inputs.size() : spec->inputs.size();
  for (std::size_t i = 0; i < count; ++i) {
    const bool is_value =
        i < node.inputs.size() && !node.inputs[i].empty() && !(has_weights && i >= ops::kWeight);
    made->inputs.push_back(kLeftOut);
    if (!is_value) continue;
    QUIRE_ASSIGN(made->inputs.back(), value_of(node.inputs[i]));
  }
  for (const std::string& output : node.outputs) {
    QUIRE_ASSIGN(const int place, new_value(output, GraphValue::Source::kComputed));
    made->outputs.push_back(place);
  }
  return ok_status();
}

Status Builder::add_node(const onnx::OnnxNode& node) {
  GraphNode made{.name = name_of(node)};
  const bool is_own = node.domain == "quire";
  if (!is_own && !node.domain.empty() && node.domain != "ai.onnx") {
    return bad_model("the operator " + node.domain.substr(0, 64) +
                     "::" + node.op_type.substr(0, 64) + " is none that a paged graph may hold");
  }
  if (node.outputs.empty()) return bad_model("it has no output");
  QUIRE_TRY(connect(node, is_own ? ops::find_operator(node.op_type) : nullptr, &made));
  if (is_own) {
    QUIRE_ASSIGN(made.op, make_own(node));
  } else {
    QUIRE_ASSIGN(made.op, make_stock_operator(node));
  }
  model_.nodes.push_back(std::move(made));
  return ok_status();
}

void Builder::copy_table(ops::Embedding* embedding) {
  kernels::WeightView table = embedding->table();
  const auto copied = [this](const void* data, std::size_t bytes) {
    if (bytes == 0) return static_cast<const std::byte*>(nullptr);
    model_.constants.emplace_back(bytes);
    std::copy_n(static_cast<const std::byte*>(data), bytes, model_.constants.back().data());
    initializers_.drop({static_cast<const std::byte*>(data), bytes});
    return static_cast<const std::byte*>(model_.constants.back().data());
  };
  const auto halves = [&copied](std::span<const std::uint16_t> from) {
    const std::byte* data = copied(from.data(), from.size_bytes());
    return std::span(reinterpret_cast<const std::uint16_t*>(data), from.size());
  };
  table.weight = {copied(table.weight.data(), table.weight.size()), table.weight.size()};
  table.scale = halves(table.scale);
  table.min = halves(table.min);
  embedding->read_from(table);
}

// A table that is the output layer too is held once, packed.
void Builder::share_tables() {
  for (ops::Embedding* table : tables_) {
    const auto packed = packed_.find(table->table().weight.data());
    if (packed != packed_.end() && packed->second->k() == table->table().k &&
        packed->second->n() == table->table().n) {
      table->read_from(packed->second);
    } else {
      copy_table(table);
    }
  }
}

Status Builder::build_parts() {
  if (graph_.nodes.size() > kMaxNodes) {
    return bad_model("a paged graph has at most " + std::to_string(kMaxNodes) + " nodes, not " +
                     std::to_string(graph_.nodes.size()));
  }
  QUIRE_TRY(add_inputs());
  QUIRE_TRY(reserve_weights());
  for (const onnx::OnnxNode& node : graph_.nodes) {
    QUIRE_TRY(add_node(node).with_context(name_of(node)));
  }
  share_tables();
  for (const onnx::OnnxValue& output : graph_.outputs) {
    QUIRE_ASSIGN(const int place, value_of(output.name));
    model_.outputs.push_back(place);
  }
  return ok_status();
}

Result<GraphModel> Builder::build() {
  const Status built = build_parts();
  environment_->weight_memory = {};  // it refers to this
  if (!built.ok()) return built;
  return std::move(model_);
}

}  // namespace

Result<GraphModel> build_graph_model(const onnx::OnnxGraph& graph,
                                     const std::filesystem::path& model_file,
                                     ops::Environment* environment) {
  QUIRE_ASSIGN(const Initializers initializers, Initializers::open(graph, model_file));
  return Builder(graph, initializers, environment).build();
}

}  // namespace quire::graph
