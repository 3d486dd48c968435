#include "runner/onnx/stock_graph.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/half.h"

namespace quire::onnx {
namespace {

constexpr std::array<std::string_view, 6> kIntegerInputs = {"input_ids",
                                                            "attention_mask",
                                                            "position_ids",
                                                            "position_offset",
                                                            "previous_ids",
                                                            "use_cache_branch"};

void widen(const Ort::Value& logits, std::size_t first, std::span<float> row) {
  const auto type = logits.GetTensorTypeAndShapeInfo().GetElementType();
  if (type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT) {
    const float* values = logits.GetTensorData<float>() + first;
    std::copy_n(values, row.size(), row.begin());
    return;
  }
  const auto* values = static_cast<const std::uint16_t*>(logits.GetTensorRawData()) + first;
  const bool half = type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
  std::transform(values, values + row.size(), row.begin(), [half](std::uint16_t bits) {
    return half ? kernels::half_to_float(bits) : kernels::bfloat16_to_float(bits);
  });
}

}  // namespace

Result<LogitsInfo> find_logits(const OnnxSession& session, int vocab_size) {
  const TensorInfo* logits = session.find_output("logits");
  if (logits == nullptr && session.outputs().size() == 1) logits = &session.outputs().front();
  if (logits == nullptr) return bad_model("the graph has no output named \"logits\"");
  const bool known_type = logits->type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT ||
                          logits->type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16 ||
                          logits->type == ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16;
  const std::size_t rank = logits->shape.size();
  if (!known_type || rank < 2 || rank > 3) {
    return bad_model("the graph's logits are not numbers of [batch, sequence, vocabulary]");
  }
  constexpr std::int64_t kMaxVocab = std::int64_t{1} << 24U;
  const std::int64_t width = logits->shape.back();
  if (vocab_size == 0 && (width <= 0 || width > kMaxVocab)) {
    return bad_model("neither the graph nor a config.json says how large the vocabulary is");
  }
  if (vocab_size != 0 && width >= 0 && width != vocab_size) {
    return bad_model("the graph's logits are " + std::to_string(width) +
                     " wide, but the package says " + std::to_string(vocab_size));
  }
  return LogitsInfo{logits->name, vocab_size != 0 ? vocab_size : static_cast<int>(width)};
}

IntegerInput::IntegerInput(const TensorInfo& input)
    : name_(input.name), type_(input.type), rank_(input.shape.size()) {}

Ort::Value IntegerInput::tensor(std::int64_t batch) {
  std::vector<std::int64_t> shape(rank_, 1);
  if (name_ != "position_offset" && name_ != "use_cache_branch") {
    shape = {batch, static_cast<std::int64_t>(values_.size()) / batch};
  }
  if (type_ == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64) {
    return tensor_over(values_.data(), values_.size() * sizeof values_[0], shape, type_);
  }
  if (type_ == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32) {
    narrow_.assign(values_.begin(), values_.end());
    return tensor_over(narrow_.data(), narrow_.size() * sizeof narrow_[0], shape, type_);
  }
  // Only use_cache_branch is a bool; find_integer_inputs() lets no other type through.
  narrow_.assign(1, values_.front() != 0 ? 1 : 0);
  return tensor_over(narrow_.data(), 1, shape, type_);
}

Result<std::vector<IntegerInput>> find_integer_inputs(const OnnxSession& session,
                                                      std::span<const std::string> also_known) {
  std::vector<IntegerInput> found;
  for (const TensorInfo& input : session.inputs()) {
    if (std::ranges::find(also_known, input.name) != also_known.end()) continue;
    if (std::ranges::find(kIntegerInputs, input.name) == kIntegerInputs.end()) {
      return bad_model("the graph has the input \"" + input.name +
                       "\", which is none of input_ids, attention_mask, position_ids and "
                       "past_key_values.N; export it as a text-generation model");
    }
    const bool flag = input.name == "use_cache_branch";
    const bool fits = flag ? input.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL
                           : input.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 ||
                                 input.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
    if (!fits) return bad_model("the graph's input " + input.name + " has the wrong element type");
    found.emplace_back(input);
  }
  if (session.find_input("input_ids") == nullptr) {
    return bad_model("the graph has no input named \"input_ids\"");
  }
  return found;
}

LogitsWriter::LogitsWriter(const ModelInput& input, int vocab_size, std::vector<float>* logits)
    : input_(input), vocab_size_(static_cast<std::size_t>(vocab_size)), logits_(logits) {
  logits->resize(input.logits_indices.size() * vocab_size_);
}

// The rows are in ascending order, as the engine packs them.
std::span<const std::int64_t> LogitsWriter::rows_of(const StepSequence& sequence) const {
  const auto first = static_cast<std::int64_t>(sequence.first_row);
  const auto begin = std::ranges::lower_bound(input_.logits_indices, first);
  const auto end = std::ranges::lower_bound(input_.logits_indices, first + sequence.num_new);
  return {begin, end};
}

bool LogitsWriter::wants(const StepSequence& sequence) const { return !rows_of(sequence).empty(); }

Status LogitsWriter::write(const StepSequence& sequence,
                           std::size_t batch_index,
                           const Ort::Value& logits) {
  const std::vector<std::int64_t> shape = logits.GetTensorTypeAndShapeInfo().GetShape();
  const auto vocab = static_cast<std::int64_t>(vocab_size_);
  const std::int64_t length = shape.size() == 3 ? shape[1] : 1;
  if (shape.back() != vocab || static_cast<std::int64_t>(batch_index) >= shape.front()) {
    return internal_error("the model's logits have another shape than it promised");
  }
  const std::span<const std::int64_t> rows = rows_of(sequence);
  std::size_t target = static_cast<std::size_t>(rows.data() - input_.logits_indices.data());
  for (const std::int64_t row : rows) {
    const std::int64_t from_end =
        static_cast<std::int64_t>(sequence.first_row) + sequence.num_new - row;
    if (from_end > length) {
      return internal_error("the model gives logits of its last " + std::to_string(length) +
                            " positions only; leave prompt_logprobs out");
    }
    const auto source = (static_cast<std::int64_t>(batch_index) * length + length - from_end);
    widen(logits,
          static_cast<std::size_t>(source) * vocab_size_,
          std::span(*logits_).subspan(target++ * vocab_size_, vocab_size_));
  }
  return ok_status();
}

}  // namespace quire::onnx
