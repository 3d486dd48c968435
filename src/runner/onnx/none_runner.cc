#include "runner/onnx/none_runner.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/system_memory.h"
#include "runner/block_store.h"
#include "runner/kv_sizing.h"
#include "runner/onnx/onnx_session.h"
#include "runner/onnx/stock_graph.h"

namespace quire::onnx {
namespace {

class NoneRunner final : public ModelRunner {
 public:
  NoneRunner(std::unique_ptr<OnnxSession> session,
             const ModelPackage& package,
             const EngineOptions& options)
      : session_(std::move(session)), package_(package), options_(options) {}

  Status open();

  const ModelSpec& spec() const override { return spec_; }
  Status run(const ModelInput& input, std::vector<float>* logits) override;

 private:
  Status probe();
  Status run_group(const StepGroup& group, LogitsWriter* writer);
  void fill(const StepGroup& group, IntegerInput* values) const;

  std::unique_ptr<OnnxSession> session_;
  ModelPackage package_;
  EngineOptions options_;
  ModelSpec spec_;
  LogitsInfo logits_;
  std::vector<IntegerInput> integers_;
  std::optional<TokenBlockStore> store_;
};

Status NoneRunner::open() {
  QUIRE_ASSIGN(logits_, find_logits(*session_, package_.vocab_size));
  package_.vocab_size = logits_.vocab_size;
  QUIRE_ASSIGN(integers_, find_integer_inputs(*session_, {}));
  const std::uint64_t bytes = TokenBlockStore::bytes_per_block(options_.block_size);
  const std::uint64_t available = available_memory_bytes();
  const int num_blocks = choose_num_kv_blocks({.requested_blocks = options_.num_kv_blocks,
                                               .bytes_per_block = bytes,
                                               .available_bytes = available,
                                               .max_num_seqs = options_.max_num_seqs,
                                               .max_seq_len = package_.max_seq_len,
                                               .block_size = options_.block_size});
  QUIRE_TRY(check_cache_fits(bytes, num_blocks, available).error());
  QUIRE_ASSIGN(TokenBlockStore store, TokenBlockStore::create(num_blocks, options_.block_size));
  store_.emplace(std::move(store));
  spec_ = {.vocab_size = package_.vocab_size,
           .max_seq_len = package_.max_seq_len,
           .num_kv_blocks = num_blocks,
           .block_size = options_.block_size};
  return probe();
}

Status NoneRunner::probe() {
  const std::vector<TokenId> ids(static_cast<std::size_t>(std::min(2, package_.max_seq_len)), 0);
  const Result<std::vector<float>> logits = forward(ids);
  if (logits || logits.error().code() != StatusCode::kInternal) return logits.error();
  return bad_model(package_.model_file.string() +
                   " does not compute a step: " + logits.error().message());
}

Status NoneRunner::run(const ModelInput& input, std::vector<float>* logits) {
  LogitsWriter writer(input, spec_.vocab_size, logits);
  std::vector<StepGroup> groups = group_by_length(input);
  for (StepGroup& group : groups) {
    for (const StepSequence& sequence : group.sequences) {
      store_->write(
          sequence,
          input.token_ids.subspan(sequence.first_row, static_cast<std::size_t>(sequence.num_new)));
    }
    // A chunk of a prompt that is not its end has nothing to compute.
    std::erase_if(group.sequences,
                  [&](const StepSequence& sequence) { return !writer.wants(sequence); });
    if (!group.sequences.empty()) QUIRE_TRY(run_group(group, &writer));
  }
  return ok_status();
}

Status NoneRunner::run_group(const StepGroup& group, LogitsWriter* writer) {
  const auto batch = static_cast<std::int64_t>(group.sequences.size());
  const std::int64_t kept = writer->num_wanted(group);
  std::vector<const char*> input_names;
  std::vector<Ort::Value> inputs;
  for (IntegerInput& values : integers_) {
    fill(group, &values);
    if (values.counts_logits()) values.values() = {kept};
    input_names.push_back(values.name().c_str());
    inputs.push_back(values.tensor(batch));
  }
  const char* output_name = logits_.name.c_str();
  Ort::Value output(nullptr);
  QUIRE_TRY(session_->run(input_names, inputs, {&output_name, 1}, {&output, 1}));
  QUIRE_ASSIGN(const LogitsView logits,
               view_logits(output, logits_, batch, group.past + group.num_new, kept));
  for (std::size_t i = 0; i < group.sequences.size(); ++i) {
    QUIRE_TRY(writer->write(group.sequences[i], i, logits));
  }
  return ok_status();
}

void NoneRunner::fill(const StepGroup& group, IntegerInput* values) const {
  std::vector<std::int64_t>& list = values->values();
  list.clear();
  const std::string& name = values->name();
  if (name == "position_offset" || name == "use_cache_branch") {
    list.push_back(0);
    return;
  }
  for (const StepSequence& sequence : group.sequences) {
    std::int64_t previous = kNoToken;
    for (int position = 0; position < group.past + group.num_new; ++position) {
      const std::int64_t id = store_->read(sequence.blocks, position);
      if (name == "attention_mask") list.push_back(1);
      if (name == "position_ids") list.push_back(position);
      if (name == "input_ids") list.push_back(id);
      if (name == "previous_ids") list.push_back(previous);
      previous = id;
    }
  }
}

}  // namespace

Result<std::unique_ptr<ModelRunner>> open_none_runner(std::unique_ptr<OnnxSession> session,
                                                      const ModelPackage& package,
                                                      const EngineOptions& options) {
  auto runner = std::make_unique<NoneRunner>(std::move(session), package, options);
  QUIRE_TRY(runner->open());
  return std::unique_ptr<ModelRunner>(std::move(runner));
}

}  // namespace quire::onnx
