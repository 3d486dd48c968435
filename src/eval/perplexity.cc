#include "eval/perplexity.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "quire/step_batch.h"

namespace quire {
namespace {

// Positions whose logits are held at once: a large vocabulary takes a megabyte for each.
constexpr std::size_t kChunk = 64;

class Evaluation {
 public:
  Evaluation(int context, Llm* llm) : llm_(llm) {
    const auto block_size = static_cast<std::size_t>(llm->runner().spec().block_size);
    blocks_.resize((static_cast<std::size_t>(context) + block_size - 1) / block_size);
    std::iota(blocks_.begin(), blocks_.end(), 0);
  }

  // Predicts the tokens of one window from position `first` on.
  Status add_window(std::span<const TokenId> ids, std::size_t first);
  PerplexityReport report(std::size_t num_bytes) const;

 private:
  Status run_chunk(std::span<const TokenId> ids, std::size_t begin, std::size_t end);
  void count(std::span<const float> logits, TokenId token);

  Llm* llm_;
  std::vector<std::int32_t> blocks_;
  StepBatch batch_;
  std::vector<float> logits_;
  double sum_nll_ = 0;
  std::int64_t num_tokens_ = 0;
  std::int64_t num_best_ = 0;
  std::int64_t num_top_5_ = 0;
};

Status Evaluation::run_chunk(std::span<const TokenId> ids, std::size_t begin, std::size_t end) {
  const std::size_t count = end - begin;
  batch_.clear();
  batch_.add(ids.first(end), static_cast<int>(begin), blocks_, static_cast<int>(count));
  return llm_->runner().run(batch_.input(), &logits_);
}

void Evaluation::count(std::span<const float> logits, TokenId token) {
  const float own = logits[static_cast<std::size_t>(token)];
  const float most = *std::ranges::max_element(logits);
  double sum = 0;
  std::int64_t num_better = 0;
  for (const float logit : logits) {
    sum += static_cast<double>(std::exp(logit - most));
    if (logit > own) ++num_better;
  }
  sum_nll_ += std::log(sum) - static_cast<double>(own - most);
  ++num_tokens_;
  if (num_better == 0) ++num_best_;
  if (num_better < 5) ++num_top_5_;
}

Status Evaluation::add_window(std::span<const TokenId> ids, std::size_t first) {
  const auto vocab = static_cast<std::size_t>(llm_->runner().spec().vocab_size);
  // The last token is only predicted.
  for (std::size_t begin = 0; begin + 1 < ids.size(); begin += kChunk) {
    const std::size_t end = std::min(begin + kChunk, ids.size() - 1);
    QUIRE_TRY(run_chunk(ids, begin, end));
    for (std::size_t i = begin; i < end; ++i) {
      if (i + 1 < first) continue;
      count(std::span(logits_).subspan((i - begin) * vocab, vocab), ids[i + 1]);
    }
  }
  return std::isfinite(sum_nll_) ? ok_status()
                                 : internal_error("the model's logits are not all numbers");
}

PerplexityReport Evaluation::report(std::size_t num_bytes) const {
  const auto tokens = static_cast<double>(num_tokens_);
  return {.num_tokens = num_tokens_,
          .mean_nll = sum_nll_ / tokens,
          .perplexity = std::exp(sum_nll_ / tokens),
          .bits_per_byte = sum_nll_ / std::log(2.0) / static_cast<double>(num_bytes),
          .accuracy = static_cast<double>(num_best_) / tokens,
          .accuracy_of_top_5 = static_cast<double>(num_top_5_) / tokens};
}

// Bytes of the text that the predicted tokens stand for.
Result<std::size_t> num_bytes_of(const Tokenizer& tokenizer, std::span<const TokenId> ids) {
  QUIRE_ASSIGN(const std::string text, tokenizer.decode(ids, /*skip_special=*/false));
  return std::max<std::size_t>(text.size(), 1);
}

}  // namespace

Result<PerplexityReport> measure_perplexity(std::string_view text,
                                            const PerplexityOptions& options,
                                            Llm* llm) {
  if (llm->tokenizer() == nullptr) {
    return invalid_argument("this package has no tokenizer, so a text cannot be evaluated");
  }
  const ModelSpec& model = llm->runner().spec();
  const std::int64_t held = std::int64_t{model.num_kv_blocks} * model.block_size;
  const int most = static_cast<int>(std::min<std::int64_t>(model.max_seq_len, held));
  if (options.context < 2 || options.context > most) {
    return invalid_argument("option context is " + std::to_string(options.context) +
                            ", but must be from 2 to " + std::to_string(most));
  }
  QUIRE_ASSIGN(const std::vector<TokenId> beginning, llm->tokenizer()->encode_special(""));
  QUIRE_ASSIGN(std::vector<TokenId> ids, llm->tokenizer()->encode(text));
  if (options.limit > 0 && static_cast<std::int64_t>(ids.size()) > options.limit) {
    ids.resize(static_cast<std::size_t>(options.limit));
  }
  const std::size_t size = static_cast<std::size_t>(options.context) - beginning.size();
  if (ids.size() < 2 || beginning.size() + 2 > static_cast<std::size_t>(options.context)) {
    return invalid_argument("the text has fewer than two tokens to predict");
  }
  Evaluation evaluation(options.context, llm);
  std::size_t num_bytes = 0;
  for (std::size_t begin = 0; begin < ids.size(); begin += size) {
    const auto window = std::span(ids).subspan(begin, std::min(size, ids.size() - begin));
    std::vector<TokenId> tokens = beginning;
    tokens.insert(tokens.end(), window.begin(), window.end());
    // A window without a beginning-of-text id has nothing to predict its first token from.
    const std::size_t first = std::max<std::size_t>(beginning.size(), 1);
    QUIRE_TRY(evaluation.add_window(tokens, first));
    QUIRE_ASSIGN(const std::size_t bytes,
                 num_bytes_of(*llm->tokenizer(), window.subspan(beginning.empty() ? 1 : 0)));
    num_bytes += bytes;
    if (options.on_progress) {
      options.on_progress(static_cast<std::int64_t>(begin + window.size()),
                          static_cast<std::int64_t>(ids.size()));
    }
  }
  return evaluation.report(num_bytes);
}

}  // namespace quire
