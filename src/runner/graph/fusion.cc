#include "runner/graph/fusion.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "ops/activations.h"
#include "ops/linear.h"
#include "ops/norms.h"
#include "runner/graph/fused_linear.h"
#include "runner/graph/quire_operator.h"

namespace quire::graph {
namespace {

// A Linear and what follows it.
struct Branch {
  std::size_t linear = 0;   // node
  int follower = -1;        // the node that becomes part of it: an addition or a gate
  int residual = kLeftOut;  // value
};

class Fuser {
 public:
  Fuser(const SampleShapes& shapes, ops::Environment* environment, GraphModel* model)
      : shapes_(shapes), environment_(environment), model_(*model) {}

  void run();

 private:
  void index();
  void fuse_at(std::size_t node);
  std::vector<std::size_t> siblings(std::size_t node) const;
  int fusable_norm(int x, const std::vector<Branch>& branches) const;
  Branch branch_of(std::size_t linear, std::size_t position) const;
  FusedLinear::Target make_target(const Branch& branch);
  void replace(const std::vector<Branch>& branches, int norm);

  ops::Linear* linear_at(std::size_t node) const {
    return operator_of<ops::Linear>(model_.nodes[node].op.get());
  }
  const std::vector<std::size_t>& consumers(int value) const {
    return consumers_[static_cast<std::size_t>(value)];
  }

  const SampleShapes& shapes_;
  ops::Environment* environment_;
  GraphModel& model_;
  std::vector<int> producer_;                        // of each value: a node, or -1
  std::vector<std::vector<std::size_t>> consumers_;  // of each value: nodes, once an input
  std::vector<bool> is_output_;                      // of each value: of the graph
  std::vector<bool> gone_;                           // of each node: part of a fused one
};

void Fuser::index() {
  producer_.assign(model_.values.size(), -1);
  consumers_.assign(model_.values.size(), {});
  is_output_.assign(model_.values.size(), false);
  gone_.assign(model_.nodes.size(), false);
  for (std::size_t i = 0; i < model_.nodes.size(); ++i) {
    for (const int input : model_.nodes[i].inputs) {
      if (input != kLeftOut) consumers_[static_cast<std::size_t>(input)].push_back(i);
    }
    for (const int output : model_.nodes[i].outputs) {
      producer_[static_cast<std::size_t>(output)] = static_cast<int>(i);
    }
  }
  for (const int output : model_.outputs) is_output_[static_cast<std::size_t>(output)] = true;
}

// The Linears over the same rows as `node`, itself the first: those that go with it in one group.
std::vector<std::size_t> Fuser::siblings(std::size_t node) const {
  std::vector<std::size_t> found = {node};
  const ops::Linear* first = linear_at(node);
  for (const std::size_t other : consumers(model_.nodes[node].inputs[0])) {
    if (found.size() == kernels::kMaxLinearTargets) break;
    const ops::Linear* linear = other > node && !gone_[other] ? linear_at(other) : nullptr;
    if (linear == nullptr) continue;
    const bool bits_agree = linear->activation_bits() == first->activation_bits();
    const bool kinds_agree = linear->weights().kind() == first->weights().kind();
    if (kinds_agree && (bits_agree || !linear->weights().is_quantized())) found.push_back(other);
  }
  return found;
}

// What can follow a Linear whose group runs at `position`.
Branch Fuser::branch_of(std::size_t linear, std::size_t position) const {
  Branch branch{.linear = linear};
  const int y = model_.nodes[linear].outputs[0];
  if (consumers(y).size() != 1 || is_output_[static_cast<std::size_t>(y)]) return branch;
  const std::size_t next = consumers(y)[0];
  const GraphNode& node = model_.nodes[next];
  if (const auto* gate = operator_of<ops::Activation>(node.op.get())) {
    const bool fits = gate->params().gated && kernels::can_gate(linear_at(linear)->weights());
    if (fits) branch.follower = static_cast<int>(next);
    return branch;
  }
  if (!node.op->is_addition()) return branch;
  const int other = node.inputs[0] == y ? node.inputs[1] : node.inputs[0];
  const GraphValue& value = model_.values[static_cast<std::size_t>(other)];
  const int made_by = producer_[static_cast<std::size_t>(other)];
  const bool is_there = value.source != GraphValue::Source::kComputed ||
                        (made_by >= 0 && static_cast<std::size_t>(made_by) < position);
  if (other == y || !is_there || !shapes_.equal(other, y)) return branch;
  branch.follower = static_cast<int>(next);
  branch.residual = other;
  return branch;
}

// The RMSNorm that makes x, when nobody but these Linears takes its rows and it norms whole rows;
// -1: there is none.
int Fuser::fusable_norm(int x, const std::vector<Branch>& branches) const {
  const int node = producer_[static_cast<std::size_t>(x)];
  if (node < 0 || is_output_[static_cast<std::size_t>(x)]) return -1;
  const GraphNode& norm = model_.nodes[static_cast<std::size_t>(node)];
  if (operator_of<ops::RmsNorm>(norm.op.get()) == nullptr) return -1;
  if (consumers(x).size() != branches.size()) return -1;
  const auto weight = static_cast<std::size_t>(norm.inputs[ops::RmsNorm::kWeight]);
  const std::int64_t k = linear_at(branches[0].linear)->weights().k();
  const bool whole_rows = shapes_.first[weight] == ops::Shape{k};
  return whole_rows && model_.values[weight].source == GraphValue::Source::kConstant ? node : -1;
}

FusedLinear::Target Fuser::make_target(const Branch& branch) {
  FusedLinear::Target target{.linear = linear_at(branch.linear),
                             .owner = std::move(model_.nodes[branch.linear].op)};
  if (branch.follower < 0 || branch.residual != kLeftOut) return target;
  auto& follower = model_.nodes[static_cast<std::size_t>(branch.follower)];
  target.gate = operator_of<ops::Activation>(follower.op.get())->params().kind;
  return target;
}

void Fuser::replace(const std::vector<Branch>& branches, int norm) {
  GraphNode& place = model_.nodes[branches[0].linear];
  GraphNode fused{.name = place.name, .inputs = {place.inputs[0], kLeftOut}};
  float epsilon = 0;
  if (norm >= 0) {
    GraphNode& node = model_.nodes[static_cast<std::size_t>(norm)];
    fused.inputs = {node.inputs[ops::RmsNorm::kX], node.inputs[ops::RmsNorm::kWeight]};
    epsilon = operator_of<ops::RmsNorm>(node.op.get())->epsilon();
    gone_[static_cast<std::size_t>(norm)] = true;
  }
  std::vector<FusedLinear::Target> targets;
  for (const Branch& branch : branches) {
    targets.push_back(make_target(branch));
    fused.inputs.push_back(branch.residual);
    const std::size_t last =
        branch.follower < 0 ? branch.linear : static_cast<std::size_t>(branch.follower);
    fused.outputs.push_back(model_.nodes[last].outputs[0]);
    gone_[branch.linear] = true;
    gone_[last] = true;
  }
  fused.op = std::make_unique<FusedLinear>(environment_, epsilon, std::move(targets));
  for (const int output : fused.outputs) {
    producer_[static_cast<std::size_t>(output)] = static_cast<int>(branches[0].linear);
  }
  gone_[branches[0].linear] = false;
  place = std::move(fused);
}

void Fuser::fuse_at(std::size_t node) {
  if (gone_[node] || linear_at(node) == nullptr) return;
  std::vector<Branch> branches;
  for (const std::size_t sibling : siblings(node)) branches.push_back(branch_of(sibling, node));
  const int norm = fusable_norm(model_.nodes[node].inputs[0], branches);
  const bool alone = branches.size() == 1 && branches[0].follower < 0 && norm < 0;
  if (!alone) replace(branches, norm);
}

void Fuser::run() {
  index();
  for (std::size_t node = 0; node < model_.nodes.size(); ++node) fuse_at(node);
  std::vector<GraphNode> left;
  for (std::size_t node = 0; node < model_.nodes.size(); ++node) {
    if (!gone_[node]) left.push_back(std::move(model_.nodes[node]));
  }
  model_.nodes = std::move(left);
}

}  // namespace

void fuse(const SampleShapes& shapes, ops::Environment* environment, GraphModel* model) {
  Fuser(shapes, environment, model).run();
}

}  // namespace quire::graph
