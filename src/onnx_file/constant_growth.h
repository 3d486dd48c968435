#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace quire::onnx {

// A node as far as its constants are concerned. Views into the file.
struct GrowthNode {
  std::string_view op_type;
  std::vector<std::string_view> inputs;
  std::vector<std::string_view> outputs;
  std::map<std::string_view, std::vector<double>> numbers;  // attributes: one number or a list
  std::string_view tensor;  // Constant's and ConstantOfShape's value
};

// What a graph computes from constants alone is computed while it is opened, before anybody asks:
// a Range of a few bytes may take all memory then. This follows the sizes of such results, and the
// values of small ones, which are sizes of others, and finds what grows without bound. Where it
// cannot follow a size it lets what hardly grows pass and nothing else.
class ConstantGrowth {
 public:
  // Numbers that may come of constants beyond as many as the file holds.
  static constexpr double kMaxGrowth = 134217728;  // 1 GiB of int64

  void add_initializer(std::string_view name, std::string_view tensor);
  void add_node(GrowthNode node) { nodes_.push_back(std::move(node)); }

  // The operator that grows too far, once all is added; empty for none.
  std::string_view find_excess();

 private:
  // A result that depends on constants alone.
  struct Known {
    double elements = 0;
    std::optional<std::vector<double>> dims;
    std::optional<std::vector<double>> values;  // of small ones only
  };
  using Inputs = std::vector<const Known*>;

  static Known known_tensor(std::string_view tensor);
  static Known of_dims(std::vector<double> dims);
  static Known of_values(std::vector<double> values);
  static std::optional<std::vector<double>> broadcast(const Inputs& inputs);
  static std::optional<Known> constant(const GrowthNode& node);
  static std::optional<Known> made_of_values(const GrowthNode& node, const Inputs& inputs);
  static std::optional<Known> elementwise(const GrowthNode& node, const Inputs& inputs);
  static std::optional<std::vector<double>> with_ones(const GrowthNode& node, const Inputs& inputs);
  static std::optional<Known> reshaped(const Inputs& inputs);
  static std::optional<Known> moved(const GrowthNode& node, const Inputs& inputs);
  static std::optional<Known> computed(const GrowthNode& node, const Inputs& inputs);
  // False when it is too large, or nobody can tell.
  bool settle(const GrowthNode& node);

  std::unordered_map<std::string_view, Known> known_;
  std::vector<GrowthNode> nodes_;
  double in_file_ = 0;  // weights, which lie on the disk as large as they say
  double grown_ = 0;    // what is made of them beyond the largest input of each node
};

}  // namespace quire::onnx
