#include "runner/graph/layout.h"

#include <algorithm>
#include <utility>

namespace quire::graph {
namespace {

// What constants and shapes alone decide is shapes, masks and small tables.
constexpr std::size_t kMaxDecidedBytes = std::size_t{64} << 20U;

std::size_t at(int place) { return static_cast<std::size_t>(place); }

// What becomes of a shape's value is arithmetic on a few numbers: one thread does it.
kernels::SerialExecutor& serial() {
  static kernels::SerialExecutor executor;
  return executor;
}

}  // namespace

ops::Tensor Layout::tensor_at(int place) const {
  return place == kLeftOut ? ops::Tensor() : tensors_[at(place)];
}

Layout::Known Layout::known(const GraphNode& node) const {
  Known latest = Known::kConstant;
  for (const int input : node.inputs) {
    if (input != kLeftOut) latest = std::max(latest, when_[at(input)]);
  }
  return latest == Known::kStep && node.op->reads_shapes_only() ? Known::kShapes : latest;
}

// Types and shapes of a node's outputs.
Status Layout::infer(GraphNode* node) {
  scratch_inputs_.clear();
  scratch_outputs_.assign(node->outputs.size(), {.present = true});
  for (std::size_t i = 0; i < node->inputs.size(); ++i) {
    const int input = node->inputs[i];
    scratch_inputs_.push_back(tensor_at(input));
    if (input != kLeftOut && node->op->needs_value(i) && when_[at(input)] == Known::kStep) {
      return bad_model(node->name + ": a shape depends on values that a step computes");
    }
  }
  QUIRE_TRY(node->op->infer(scratch_inputs_, scratch_outputs_).with_context(node->name));
  for (std::size_t i = 0; i < node->outputs.size(); ++i) {
    tensors_[at(node->outputs[i])] = scratch_outputs_[i];
  }
  return ok_status();
}

// Computes a node whose inputs are all known.
Status Layout::evaluate(GraphNode* node) {
  QUIRE_TRY(infer(node));
  for (std::size_t i = 0; i < node->outputs.size(); ++i) {
    const int output = node->outputs[i];
    std::vector<std::byte>& bytes = bytes_[at(output)];
    ops::Tensor& tensor = tensors_[at(output)];
    if (tensor.bytes().size() > kMaxDecidedBytes) {
      return bad_model(node->name + ": a value of " + tensor.shape.text() +
                       " that no step decides is too large");
    }
    bytes.resize(std::max<std::size_t>(tensor.bytes().size(), 1));
    tensor.data = bytes.data();
    scratch_outputs_[i] = tensor;
  }
  if (node->op->forwards()) {
    std::ranges::copy(scratch_inputs_[0].bytes(), bytes_[at(node->outputs[0])].begin());
    return ok_status();
  }
  return node->op->run(serial(), scratch_inputs_, scratch_outputs_).with_context(node->name);
}

Status Layout::add_node(GraphNode* node) {
  const Known when = known(*node);
  for (const int output : node->outputs) when_[at(output)] = when;
  if (when == Known::kConstant) return evaluate(node);
  nodes_.push_back(node);
  if (when == Known::kShapes) return ok_status();
  if (node->op->forwards()) {
    root_[at(node->outputs[0])] = root_[at(node->inputs[0])];
    return ok_status();
  }
  steps_.push_back({.node = node, .inputs = {}, .outputs = {}});
  return ok_status();
}

Result<Layout> Layout::plan(GraphModel* model) {
  Layout layout;
  layout.model_ = model;
  const std::size_t count = model->values.size();
  layout.when_.assign(count, Known::kStep);
  layout.last_reader_.assign(count, -1);
  layout.offsets_.assign(count, 0);
  layout.has_room_.assign(count, false);
  layout.bytes_.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    layout.tensors_.push_back(model->values[i].tensor);
    layout.root_.push_back(static_cast<int>(i));
    if (model->values[i].source == GraphValue::Source::kConstant) {
      layout.when_[i] = Known::kConstant;
    }
  }
  for (GraphNode& node : model->nodes) QUIRE_TRY(layout.add_node(&node));
  layout.find_last_readers();
  return layout;
}

void Layout::find_last_readers() {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    for (const int input : steps_[i].node->inputs) {
      if (input != kLeftOut) last_reader_[at(root_[at(input)])] = static_cast<int>(i);
    }
  }
  // What the graph gives out is read after the last step.
  for (const int output : model_->outputs) {
    last_reader_[at(root_[at(output)])] = static_cast<int>(steps_.size());
  }
}

Status Layout::set_inputs(std::span<const ops::Tensor> inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    tensors_[at(model_->inputs[i])] = inputs[i];
    has_room_[at(model_->inputs[i])] = inputs[i].data == nullptr;
  }
  for (GraphNode* node : nodes_) {
    const bool from_shapes = when_[at(node->outputs[0])] == Known::kShapes;
    QUIRE_TRY(from_shapes ? evaluate(node) : infer(node));
  }
  return assign_memory();
}

Status Layout::assign_memory() {
  memory_.clear();
  const auto take = [this](int place) {
    has_room_[at(place)] = true;
    offsets_[at(place)] = memory_.take(tensors_[at(place)].bytes().size());
  };
  for (const int input : model_->inputs) {
    if (has_room_[at(input)]) take(input);
  }
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const GraphNode& node = *steps_[i].node;
    for (const int output : node.outputs) take(output);
    for (const auto* places : {&node.inputs, &node.outputs}) {
      for (const int place : *places) {
        if (place == kLeftOut) continue;
        const int root = root_[at(place)];
        // A value nobody reads goes at once; one that stands twice among the inputs goes once.
        const bool ends_here = last_reader_[at(root)] == static_cast<int>(i) ||
                               (places == &node.outputs && last_reader_[at(root)] < 0);
        if (!ends_here || !has_room_[at(root)]) continue;
        has_room_[at(root)] = false;
        memory_.give_back(offsets_[at(root)], tensors_[at(root)].bytes().size());
      }
    }
  }
  QUIRE_TRY(memory_.reserve());
  for (const int input : model_->inputs) {
    if (tensors_[at(input)].data == nullptr) {
      tensors_[at(input)].data = memory_.data() + offsets_[at(input)];
    }
  }
  for (const Step& step : steps_) {
    for (const int output : step.node->outputs) {
      tensors_[at(output)].data = memory_.data() + offsets_[at(output)];
    }
  }
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    if (root_[i] != static_cast<int>(i)) tensors_[i].data = tensors_[at(root_[i])].data;
  }
  for (Step& step : steps_) {
    step.inputs.clear();
    step.outputs.clear();
    for (const int input : step.node->inputs) step.inputs.push_back(tensor_at(input));
    for (const int output : step.node->outputs) step.outputs.push_back(tensor_at(output));
  }
  return ok_status();
}

bool Layout::place_output(int place, float* data) {
  if (last_reader_[at(place)] != static_cast<int>(steps_.size())) return false;
  for (Step& step : steps_) {
    const auto& outputs = step.node->outputs;
    const auto found = std::ranges::find(outputs, place);
    if (found == outputs.end()) continue;
    for (const Step& reader : steps_) {
      if (std::ranges::find(reader.node->inputs, place) != reader.node->inputs.end()) return false;
    }
    step.outputs[static_cast<std::size_t>(found - outputs.begin())].data = data;
    return true;
  }
  return false;
}

}  // namespace quire::graph
