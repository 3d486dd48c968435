#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "package/model_package.h"
#include "quire/model_runner.h"
#include "quire/result.h"
#include "runner/block_store.h"
#include "runner/onnx/onnx_session.h"

namespace quire::onnx {

// What graphs of ordinary inputs (batch and sequence axes, stock operators) have in common.

struct LogitsInfo {
  std::string name;
  int vocab_size = 0;
  ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  std::size_t rank = 0;
};

// The graph's output of logits, [batch, sequence, vocab] or [batch, vocab] for the last position
// only. Fails with kBadModel if there is none, or its width is not `vocab_size` (0: as the graph
// has it).
Result<LogitsInfo> find_logits(const OnnxSession& session, int vocab_size);

// What the graph declares of an output is a promise of the file's: what a step gives may be no
// tensor at all, or of another type or shape, perhaps for some ids only. Fails with kInternal
// unless `value` is a tensor of exactly this type and shape; only then may its elements be read.
Status check_output(const Ort::Value& value,
                    const std::string& name,
                    ONNXTensorElementDataType type,
                    std::span<const std::int64_t> shape);

// The logits that a step gave for a batch of equally long sequences: rows of `vocab` numbers,
// `length` for each sequence, of which the last belongs to its last token. A view into the output.
struct LogitsView {
  const void* data = nullptr;
  ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  std::size_t length = 0;
};

// Holds what a step gave against what the graph declared: `batch` sequences, all of their `length`
// positions, the last `kept`, or the last alone. Fails as check_output() does.
Result<LogitsView> view_logits(const Ort::Value& logits,
                               const LogitsInfo& info,
                               std::int64_t batch,
                               std::int64_t length,
                               std::int64_t kept);

// One of the integer inputs of a step, in the element type the graph wants.
class IntegerInput {
 public:
  explicit IntegerInput(const TensorInfo& input);

  const std::string& name() const { return name_; }
  // Whether it says of how many positions, counted from the last, the logits are wanted.
  bool counts_logits() const { return name_ == "num_logits_to_keep" || name_ == "logits_to_keep"; }
  // Where the step's values are put before tensor(): one a token, or one in all.
  std::vector<std::int64_t>& values() { return values_; }
  // [batch, values / batch], or one value in the rank the graph has for it. Over memory of this
  // object's; valid until it changes.
  Ort::Value tensor(std::int64_t batch);

 private:
  bool is_single() const;

  std::string name_;
  ONNXTensorElementDataType type_;
  std::size_t rank_;
  std::vector<std::int64_t> values_;
  std::vector<std::int32_t> narrow_;
};

// The integer inputs that the graph has among those a step can fill; any other input that is not in
// `also_known` is refused with kBadModel.
Result<std::vector<IntegerInput>> find_integer_inputs(const OnnxSession& session,
                                                      std::span<const std::string> also_known);

// Where the rows that were asked for lie: input.logits_indices by sequence.
class LogitsWriter {
 public:
  LogitsWriter(const ModelInput& input, int vocab_size, std::vector<float>* logits);

  // Whether any row of this sequence is wanted.
  bool wants(const StepSequence& sequence) const;
  // How many of its last positions the logits are wanted of; at least 1.
  std::int64_t num_wanted(const StepGroup& group) const;
  // Copies the wanted rows from what the graph computed for sequence `batch_index` of its batch.
  // Fails with kInternal when it has no row for one that is wanted.
  Status write(const StepSequence& sequence, std::size_t batch_index, const LogitsView& logits);

 private:
  std::span<const std::int64_t> rows_of(const StepSequence& sequence) const;

  const ModelInput& input_;
  std::size_t vocab_size_;
  std::vector<float>* logits_;
};

}  // namespace quire::onnx
