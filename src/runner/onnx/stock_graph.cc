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

constexpr std::array<std::string_view, 8> kIntegerInputs = {"input_ids",
                                                            "attention_mask",
                                                            "position_ids",
                                                            "position_offset",
                                                            "previous_ids",
                                                            "use_cache_branch",
                                                            "num_logits_to_keep",
                                                            "logits_to_keep"};

void widen(const LogitsView& logits, std::size_t first, std::span<float> row) {
  if (logits.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT) {
    std::copy_n(static_cast<const float*>(logits.data) + first, row.size(), row.begin());
    return;
  }
  const auto* values = static_cast<const std::uint16_t*>(logits.data) + first;
  const bool half = logits.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
  std::transform(values, values + row.size(), row.begin(), [half](std::uint16_t bits) {
    return half ? kernels::half_to_float(bits) : kernels::bfloat16_to_float(bits);
  });
}

Status not_as_declared(const std::string& name) {
  return internal_error(
      "the model's output " + name +
      " has another type or shape than the graph declares; export the model again");
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
  return LogitsInfo{.name = logits->name,
                    .vocab_size = vocab_size != 0 ? vocab_size : static_cast<int>(width),
                    .type = logits->type,
                    .rank = rank};
}

Status check_output(const Ort::Value& value,
                    const std::string& name,
                    ONNXTensorElementDataType type,
                    std::span<const std::int64_t> shape) {
  try {
    if (!value || !value.IsTensor()) return not_as_declared(name);
    const auto info = value.GetTensorTypeAndShapeInfo();
    if (info.GetElementType() != type || !std::ranges::equal(info.GetShape(), shape)) {
      return not_as_declared(name);
    }
    std::size_t expected = 1;
    for (const std::int64_t size : shape) expected *= static_cast<std::size_t>(size);
    if (info.GetElementCount() != expected) return not_as_declared(name);
    return ok_status();
  } catch (const Ort::Exception&) {
    return not_as_declared(name);
  }
}

Result<LogitsView> view_logits(const Ort::Value& logits,
                               const LogitsInfo& info,
                               std::int64_t batch,
                               std::int64_t length,
                               std::int64_t kept) {
  const std::int64_t vocab = info.vocab_size;
  LogitsView view{.data = nullptr, .type = info.type, .length = 1};
  if (info.rank == 2) {
    QUIRE_TRY(check_output(logits, info.name, info.type, std::array{batch, vocab}));
  } else {
    Status status;
    for (const std::int64_t rows : {length, kept, std::int64_t{1}}) {
      view.length = static_cast<std::size_t>(rows);
      status = check_output(logits, info.name, info.type, std::array{batch, rows, vocab});
      if (status.ok()) break;
    }
    QUIRE_TRY(status);
  }
  view.data = logits.GetTensorRawData();
  return view;
}

IntegerInput::IntegerInput(const TensorInfo& input)
    : name_(input.name), type_(input.type), rank_(input.shape.size()) {}

bool IntegerInput::is_single() const {
  return name_ == "position_offset" || name_ == "use_cache_branch" || counts_logits();
}

Ort::Value IntegerInput::tensor(std::int64_t batch) {
  std::vector<std::int64_t> shape(rank_, 1);
  if (!is_single()) {
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

std::int64_t LogitsWriter::num_wanted(const StepGroup& group) const {
  std::int64_t most = 1;
  for (const StepSequence& sequence : group.sequences) {
    const std::span<const std::int64_t> rows = rows_of(sequence);
    const auto end = static_cast<std::int64_t>(sequence.first_row) + sequence.num_new;
    if (!rows.empty()) most = std::max(most, end - rows.front());
  }
  return most;
}

bool LogitsWriter::wants(const StepSequence& sequence) const { return !rows_of(sequence).empty(); }

Status LogitsWriter::write(const StepSequence& sequence,
                           std::size_t batch_index,
                           const LogitsView& logits) {
  const std::span<const std::int64_t> rows = rows_of(sequence);
  auto target = static_cast<std::size_t>(rows.data() - input_.logits_indices.data());
  const auto end = static_cast<std::int64_t>(sequence.first_row) + sequence.num_new;
  for (const std::int64_t row : rows) {
    const auto from_end = static_cast<std::size_t>(end - row);
    if (from_end > logits.length) {
      return internal_error("the model gives logits of its last " + std::to_string(logits.length) +
                            " positions only; leave prompt_logprobs out");
    }
    widen(logits,
          (batch_index * logits.length + logits.length - from_end) * vocab_size_,
          std::span(*logits_).subspan(target++ * vocab_size_, vocab_size_));
  }
  return ok_status();
}

}  // namespace quire::onnx
