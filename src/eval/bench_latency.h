#pragma once

#include "quire/llm.h"
#include "quire/result.h"

namespace quire {

// What a user waits for, in milliseconds; medians of several runs.
struct BenchLatency {
  int num_prompt = 0;           // tokens of the long prompt
  double ttft_cold = 0;         // to the first token, nothing cached
  double ttft_cached = 0;       // a finished request left the prompt's beginning in the cache
  double ttft_shared = 0;       // a request that is still running has the same beginning
  int num_streams = 0;          // decoding at once
  double inter_token = 0;       // between two tokens of each of them
  double inter_token_late = 0;  // the longest such wait while a long prompt comes in beside them
};

// Measures them on an engine that has nothing else to do. `max_seq_len` is the model's context,
// which bounds the long prompt's length of 1,000 tokens; fails with kInvalidArgument when it is too
// short for any.
Result<BenchLatency> measure_latency(int max_seq_len, Llm* llm);

}  // namespace quire
