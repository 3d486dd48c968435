#include "onnx_file/constant_growth.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "onnx_file/onnx_graph.h"
#include "onnx_file/protobuf_reader.h"
#include "onnx_file/varints.h"

namespace quire::onnx {
namespace {

constexpr std::size_t kMaxValues = 64;
constexpr std::size_t kMaxLiteralBytes = 4096;

// Their results' sizes stand in values, or nowhere; no exporter writes them over constants.
constexpr std::array<std::string_view, 16> kOnlyRun = {"BlackmanWindow",
                                                       "Col2Im",
                                                       "ConvTranspose",
                                                       "CenterCropPad",
                                                       "DFT",
                                                       "Einsum",
                                                       "GridSample",
                                                       "HammingWindow",
                                                       "HannWindow",
                                                       "MaxUnpool",
                                                       "MelWeightMatrix",
                                                       "Multinomial",
                                                       "OneHot",
                                                       "Resize",
                                                       "STFT",
                                                       "Upsample"};
// Their results are as large as their inputs spread over each other.
constexpr std::array<std::string_view, 19> kElementwise = {"Add",
                                                           "Sub",
                                                           "Mul",
                                                           "Div",
                                                           "Pow",
                                                           "Mod",
                                                           "Min",
                                                           "Max",
                                                           "And",
                                                           "Or",
                                                           "Xor",
                                                           "Equal",
                                                           "Less",
                                                           "Greater",
                                                           "Sum",
                                                           "Mean",
                                                           "PRelu",
                                                           "GreaterOrEqual",
                                                           "LessOrEqual"};
// Their results have the inputs' values, in another shape or type.
constexpr std::array<std::string_view, 5> kSameValues = {
    "Identity", "Squeeze", "Unsqueeze", "Flatten", "CastLike"};

template <typename List>
bool is_one_of(const List& list, std::string_view name) {
  return std::ranges::find(list, name) != list.end();
}

double product(const std::vector<double>& sizes) {
  double result = 1;
  for (const double size : sizes) result *= std::max(size, 0.0);
  return result;
}

template <typename T>
std::vector<double> numbers_of(const std::vector<std::byte>& data) {
  std::vector<double> values;
  for (std::size_t at = 0; at + sizeof(T) <= data.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, data.data() + at, sizeof value);
    values.push_back(static_cast<double>(value));
  }
  return values;
}

std::optional<std::vector<double>> values_of(const OnnxTensor& tensor) {
  if (!tensor.location.empty()) return std::nullopt;
  switch (static_cast<DataType>(tensor.data_type)) {
    case DataType::kInt64:
      return numbers_of<std::int64_t>(tensor.data);
    case DataType::kInt32:
      return numbers_of<std::int32_t>(tensor.data);
    case DataType::kFloat:
      return numbers_of<float>(tensor.data);
    case DataType::kBool:
    case DataType::kUint8:
      return numbers_of<std::uint8_t>(tensor.data);
    default:
      return std::nullopt;
  }
}

// What an elementwise operator makes of two numbers; NaN for one whose values nobody needs.
double combined(std::string_view op, double a, double b) {
  if (op == "Add" || op == "Sum") return a + b;
  if (op == "Sub") return a - b;
  if (op == "Mul") return a * b;
  if (op == "Div") return b == 0 ? std::numeric_limits<double>::infinity() : a / b;
  if (op == "Pow") return std::pow(a, b);
  if (op == "Min") return std::min(a, b);
  if (op == "Max") return std::max(a, b);
  if (op == "Equal") return a == b ? 1 : 0;
  if (op == "Less") return a < b ? 1 : 0;
  if (op == "Greater") return a > b ? 1 : 0;
  return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

ConstantGrowth::Known ConstantGrowth::of_dims(std::vector<double> dims) {
  return {.elements = product(dims), .dims = std::move(dims), .values = {}};
}

ConstantGrowth::Known ConstantGrowth::of_values(std::vector<double> values) {
  const auto count = static_cast<double>(values.size());
  return {.elements = count, .dims = std::vector{count}, .values = std::move(values)};
}

ConstantGrowth::Known ConstantGrowth::known_tensor(std::string_view tensor) {
  // Large ones are weights, whose values are no sizes.
  if (tensor.size() > kMaxLiteralBytes) {
    std::vector<double> dims;
    ProtobufReader reader(tensor);
    ProtobufField field;
    while (reader.next(&field)) {
      if (field.number != 1) continue;
      for (const std::uint64_t size : read_varints(field))
        dims.push_back(static_cast<double>(size));
    }
    return of_dims(std::move(dims));
  }
  const auto read = read_onnx_tensor(tensor);
  if (!read) return {.elements = static_cast<double>(tensor.size()), .dims = {}, .values = {}};
  Known known = of_dims({read->dims.begin(), read->dims.end()});
  if (known.elements <= static_cast<double>(kMaxValues)) known.values = values_of(*read);
  return known;
}

void ConstantGrowth::add_initializer(std::string_view name, std::string_view tensor) {
  in_file_ += known_.emplace(name, known_tensor(tensor)).first->second.elements;
}

// Empty where the sizes of an input are not known.
std::optional<std::vector<double>> ConstantGrowth::broadcast(const Inputs& inputs) {
  std::vector<double> dims;
  for (const Known* input : inputs) {
    if (input == nullptr || !input->dims) return std::nullopt;
    const std::vector<double>& more = *input->dims;
    if (more.size() > dims.size()) dims.insert(dims.begin(), more.size() - dims.size(), 1.0);
    for (std::size_t i = 0; i < more.size(); ++i) {
      double& size = dims[dims.size() - more.size() + i];
      size = std::max(size, more[i]);
    }
  }
  return dims;
}

std::optional<ConstantGrowth::Known> ConstantGrowth::constant(const GrowthNode& node) {
  if (!node.tensor.empty()) return known_tensor(node.tensor);
  for (const char* name : {"value_int", "value_ints", "value_float", "value_floats"}) {
    const auto found = node.numbers.find(name);
    if (found == node.numbers.end()) continue;
    Known known = of_values(found->second);
    if (known.elements > static_cast<double>(kMaxValues)) known.values.reset();
    return known;
  }
  return Known{.elements = 1, .dims = {}, .values = {}};  // a text
}

// Results whose size stands in a value.
std::optional<ConstantGrowth::Known> ConstantGrowth::made_of_values(const GrowthNode& node,
                                                                    const Inputs& inputs) {
  const auto values = [&](std::size_t i) -> const std::vector<double>* {
    return i < inputs.size() && inputs[i] != nullptr && inputs[i]->values ? &*inputs[i]->values
                                                                          : nullptr;
  };
  if (node.op_type == "Range") {
    for (const std::size_t i : {0U, 1U, 2U}) {
      if (values(i) == nullptr || values(i)->empty()) return std::nullopt;
    }
    const double begin = values(0)->front();
    const double step = values(2)->front();
    const double count = std::ceil((values(1)->front() - begin) / step);
    if (!std::isfinite(count)) return std::nullopt;
    Known known = of_dims({std::max(count, 0.0)});
    if (count > static_cast<double>(kMaxValues)) return known;
    known.values.emplace();
    for (int i = 0; i < static_cast<int>(count); ++i) known.values->push_back(begin + i * step);
    return known;
  }
  if (node.op_type == "ConstantOfShape") {
    if (values(0) == nullptr) return std::nullopt;
    Known known = of_dims(*values(0));
    if (known.elements > static_cast<double>(kMaxValues)) return known;
    const Known fill = node.tensor.empty() ? of_values({0}) : known_tensor(node.tensor);
    if (fill.values && !fill.values->empty()) {
      known.values.emplace(static_cast<std::size_t>(known.elements), fill.values->front());
    }
    return known;
  }
  const std::vector<double>* sizes = values(1);
  if (sizes == nullptr || inputs[0] == nullptr) return std::nullopt;
  if (node.op_type == "Expand") {
    const Known target = of_dims(*sizes);
    if (const auto dims = broadcast({inputs[0], &target})) return of_dims(*dims);
    return Known{.elements = inputs[0]->elements * std::max(target.elements, 1.0)};
  }
  double factor = 1;  // Tile's repeats; Pad adds to each size, so that 1 + pads bounds it
  for (const double size : *sizes) factor *= std::abs(size) + (node.op_type == "Pad" ? 1 : 0);
  return Known{.elements = inputs[0]->elements * factor};
}

std::optional<ConstantGrowth::Known> ConstantGrowth::elementwise(const GrowthNode& node,
                                                                 const Inputs& inputs) {
  Known known;
  bool all_values = true;
  for (const Known* input : inputs) {
    if (input == nullptr) return std::nullopt;
    known.elements = std::max(known.elements, input->elements);
    all_values = all_values && input->values && !input->values->empty();
  }
  if (auto dims = broadcast(inputs)) known = of_dims(*std::move(dims));
  if (!all_values || known.elements > static_cast<double>(kMaxValues)) return known;
  const auto at = [&](std::size_t input, std::size_t i) {
    const std::vector<double>& list = *inputs[input]->values;
    return list[list.size() == 1 ? 0 : std::min(i, list.size() - 1)];
  };
  std::vector<double> values;
  for (std::size_t i = 0; i < static_cast<std::size_t>(known.elements); ++i) {
    double value = at(0, i);
    if (node.op_type == "Where") {
      value = inputs.size() == 3 ? at(value != 0 ? 1 : 2, i) : value;
    } else {
      for (std::size_t k = 1; k < inputs.size(); ++k)
        value = combined(node.op_type, value, at(k, i));
    }
    if (std::isnan(value)) return known;
    values.push_back(value);
  }
  known.values = std::move(values);
  return known;
}

// An input's sizes with the ones that Unsqueeze puts in, which another input is spread over.
std::optional<std::vector<double>> ConstantGrowth::with_ones(const GrowthNode& node,
                                                             const Inputs& inputs) {
  const auto attribute = node.numbers.find("axes");
  const std::vector<double>* axes = attribute == node.numbers.end() ? nullptr : &attribute->second;
  if (inputs.size() > 1 && inputs[1] != nullptr && inputs[1]->values) axes = &*inputs[1]->values;
  if (axes == nullptr || !inputs.front()->dims) return std::nullopt;
  const auto rank = static_cast<double>(inputs.front()->dims->size() + axes->size());
  std::vector<double> sorted = *axes;
  for (double& axis : sorted) axis += axis < 0 ? rank : 0;
  std::ranges::sort(sorted);
  std::vector<double> dims = *inputs.front()->dims;
  for (const double axis : sorted) {
    if (!(axis >= 0) || axis > static_cast<double>(dims.size())) return std::nullopt;
    dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(axis), 1.0);
  }
  return dims;
}

std::optional<ConstantGrowth::Known> ConstantGrowth::reshaped(const Inputs& inputs) {
  Known known{.elements = inputs[0]->elements, .values = inputs[0]->values};
  if (inputs.size() < 2 || inputs[1] == nullptr || !inputs[1]->values) return known;
  std::vector<double> dims = *inputs[1]->values;
  double others = 1;
  for (const double size : dims) {
    if (size == 0) return known;  // as before
    if (size > 0) others *= size;
  }
  for (double& size : dims) {
    if (size < 0) size = std::max(1.0, known.elements / others);
  }
  known.dims = std::move(dims);
  return known;
}

// Results that hold what is in the inputs, or part of it.
std::optional<ConstantGrowth::Known> ConstantGrowth::moved(const GrowthNode& node,
                                                           const Inputs& inputs) {
  if (inputs.empty() || inputs.front() == nullptr) return std::nullopt;
  const Known& first = *inputs.front();
  if (node.op_type == "Shape") {
    if (first.dims) return of_values(*first.dims);
    return Known{.elements = static_cast<double>(kMaxValues)};
  }
  if (node.op_type == "Cast" || is_one_of(kSameValues, node.op_type)) {
    Known known{.elements = first.elements, .values = first.values};
    if (node.op_type == "Cast" || node.op_type == "Identity") known.dims = first.dims;
    if (node.op_type == "Unsqueeze") known.dims = with_ones(node, inputs);
    const auto to = node.numbers.find("to");
    const bool to_integer = to != node.numbers.end() &&
                            (to->second == std::vector{7.0} || to->second == std::vector{6.0});
    if (!to_integer || !known.values) return known;
    for (double& value : *known.values) value = std::trunc(value);
    return known;
  }
  if (node.op_type == "Reshape") return reshaped(inputs);
  if (node.op_type == "Transpose") {
    Known known{.elements = first.elements};
    const auto perm = node.numbers.find("perm");
    if (!first.dims) return known;
    known.dims = std::vector(first.dims->rbegin(), first.dims->rend());
    if (perm == node.numbers.end() || perm->second.size() != first.dims->size()) return known;
    for (std::size_t i = 0; i < perm->second.size(); ++i) {
      const double axis = perm->second[i];
      if (!(axis >= 0) || axis >= static_cast<double>(perm->second.size())) return known;
      (*known.dims)[i] = (*first.dims)[static_cast<std::size_t>(axis)];
    }
    return known;
  }
  if (node.op_type == "Concat") {
    Known known{.values = std::vector<double>()};
    for (const Known* input : inputs) {
      if (input == nullptr) return std::nullopt;
      known.elements += input->elements;
      if (!input->values) known.values.reset();
      if (known.values)
        known.values->insert(known.values->end(), input->values->begin(), input->values->end());
    }
    if (known.elements > static_cast<double>(kMaxValues)) known.values.reset();
    if (known.values) known.dims = std::vector{known.elements};
    return known;
  }
  return std::nullopt;
}

std::optional<ConstantGrowth::Known> ConstantGrowth::computed(const GrowthNode& node,
                                                              const Inputs& inputs) {
  double sum = 0;
  for (const Known* input : inputs) sum += input == nullptr ? 0 : input->elements;
  Known known{.elements = sum};
  if (node.op_type == "Gather" && inputs.size() == 2) {
    const bool flat = inputs[0]->values && inputs[1]->values;
    if (!flat) {
      // Indices into the first axis give rows as often as they name them.
      const bool rows = inputs[0]->dims && !inputs[0]->dims->empty();
      const double row = rows ? inputs[0]->elements / std::max(1.0, inputs[0]->dims->front()) : 1;
      known.elements = std::max(sum, inputs[1]->elements * row);
      return known;
    }
    const auto count = static_cast<double>(inputs[0]->values->size());
    std::vector<double> values;
    for (double index : *inputs[1]->values) {
      if (index < 0) index += count;
      if (!(index >= 0) || index >= count) return known;
      values.push_back((*inputs[0]->values)[static_cast<std::size_t>(index)]);
    }
    return of_values(std::move(values));
  }
  if (node.op_type == "MatMul" && inputs.size() == 2 && inputs[0]->dims && inputs[1]->dims &&
      !inputs[0]->dims->empty() && !inputs[1]->dims->empty()) {
    known.elements = std::max(
        sum,
        inputs[0]->elements / std::max(1.0, inputs[0]->dims->back()) * inputs[1]->dims->back());
  }
  return known;
}

bool ConstantGrowth::settle(const GrowthNode& node) {
  Inputs inputs;
  double held = 0;
  for (const std::string_view name : node.inputs) {
    const auto found = known_.find(name);
    inputs.push_back(found == known_.end() ? nullptr : &found->second);
    if (inputs.back() != nullptr) held = std::max(held, inputs.back()->elements);
  }
  const std::string_view op = node.op_type;
  std::optional<Known> result;
  if (is_one_of(kOnlyRun, op) || op.starts_with("Random")) return false;
  if (op == "Constant") {
    result = constant(node);
    held = result->elements;
  } else if (op == "Range" || op == "ConstantOfShape" || op == "Expand" || op == "Tile" ||
             op == "Pad") {
    result = made_of_values(node, inputs);
    if (!result) return false;
  } else if (op == "Where" || is_one_of(kElementwise, op)) {
    result = elementwise(node, inputs);
  } else {
    result = moved(node, inputs);
    if (!result) result = computed(node, inputs);
  }
  if (!result) return true;
  grown_ += std::max(0.0, result->elements - held);
  for (const std::string_view name : node.outputs) {
    if (!name.empty()) known_.emplace(name, *result);
  }
  return grown_ <= kMaxGrowth + in_file_;
}

std::string_view ConstantGrowth::find_excess() {
  // In whatever order they stand: the runtime sorts them too.
  std::unordered_map<std::string_view, std::vector<std::size_t>> waiting;
  std::vector<std::size_t> missing(nodes_.size());
  std::vector<std::size_t> ready;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    for (const std::string_view name : nodes_[i].inputs) {
      if (name.empty() || known_.contains(name)) continue;
      ++missing[i];
      waiting[name].push_back(i);
    }
    if (missing[i] == 0 && nodes_[i].op_type != "If") ready.push_back(i);
  }
  while (!ready.empty()) {
    const GrowthNode& node = nodes_[ready.back()];
    ready.pop_back();
    if (!settle(node)) return node.op_type;
    for (const std::string_view name : node.outputs) {
      const auto found = waiting.find(name);
      if (found == waiting.end() || !known_.contains(name)) continue;
      for (const std::size_t i : found->second) {
        if (--missing[i] == 0 && nodes_[i].op_type != "If") ready.push_back(i);
      }
      waiting.erase(found);
    }
  }
  return {};
}

}  // namespace quire::onnx
