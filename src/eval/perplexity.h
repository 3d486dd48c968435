#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "quire/llm.h"
#include "quire/result.h"

namespace quire {

// How well a model foretells a text.
struct PerplexityReport {
  std::int64_t num_tokens = 0;   // that were predicted
  double mean_nll = 0;           // their mean negative log-likelihood, in nats
  double perplexity = 0;         // exp(mean_nll)
  double bits_per_byte = 0;      // comparable between tokenizers
  double accuracy = 0;           // share of them that the model thought likeliest
  double accuracy_of_top_5 = 0;  // and that were among its best five
};

struct PerplexityOptions {
  int context = 512;       // tokens of each window; the windows do not overlap
  std::int64_t limit = 0;  // tokens of the text at most; 0: all
  std::function<void(std::int64_t done, std::int64_t all)> on_progress;
};

// Cuts the text's tokens into windows of `context` tokens, each after the id that begins texts
// where the model has one, and predicts every token of a window but the first from those before it.
// Runs the model directly, so `llm` must be idle. Fails with kInvalidArgument on a text that has
// fewer than two tokens, or a context the model does not have.
Result<PerplexityReport> measure_perplexity(std::string_view text,
                                            const PerplexityOptions& options,
                                            Llm* llm);

}  // namespace quire
