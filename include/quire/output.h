#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quire/status.h"
#include "quire/types.h"

namespace quire {

enum class FinishReason {
  kNone,       // not finished
  kStop,       // end of sequence, a stop token or a stop string
  kLength,     // max_tokens or the context is used up
  kCancelled,  // taken back by the caller
  kError,      // see the output's error
};

// "stop", "length", "cancelled", "error", or "" for kNone.
std::string_view finish_reason_name(FinishReason reason);

// What a piece of an answer is. Everything is kText unless a tool is on.
enum class PartKind {
  kText,
  kToolCall,    // what the model asks of the tool
  kToolResult,  // what the tool answered; written by the engine, not by the model
};

// "text", "tool_call" or "tool_result".
std::string_view part_kind_name(PartKind kind);

// A stretch of an answer.
struct OutputPart {
  PartKind kind = PartKind::kText;
  std::string text = {};
};

// A call of one of the request's tools.
struct ToolCall {
  std::string name = {};
  std::string arguments = {};  // JSON, an object
};

// Log-probability of a token under the model's raw logits (before penalties and temperature), and
// of the best tokens at that place, best first.
// NaN for a token of a tool's result, which the model did not choose.
struct TokenLogprobs {
  TokenId token = 0;
  float logprob = 0;
  std::vector<std::pair<TokenId, float>> top;
};

// One sample of a prompt.
struct CompletionOutput {
  int index = 0;                   // which of the n samples
  std::string text = {};           // without calls and results of a tool, which `parts` has
  std::vector<TokenId> token_ids;  // all, with the end-of-sequence id, which the text leaves out
  FinishReason finish_reason = FinishReason::kNone;
  std::vector<TokenLogprobs> logprobs;  // one an entry of token_ids when asked for
  std::vector<OutputPart> parts;        // all of the answer in order; empty when no tool was called
  // Of the request's tools, from Llm::generate(); the text is without them then.
  std::vector<ToolCall> tool_calls = {};
};

// Wall-clock marks of a request in milliseconds since it was submitted.
struct RequestTimings {
  double queued_ms = 0;       // until its first token was scheduled
  double first_token_ms = 0;  // until its first new token
  double total_ms = 0;
};

// What became of a request: its samples, or an error.
struct RequestOutput {
  std::uint64_t request_id = 0;
  Status error;  // ok unless the request failed
  std::vector<CompletionOutput> outputs;
  std::vector<TokenLogprobs> prompt_logprobs;
  int num_prompt_tokens = 0;
  int num_cached_tokens = 0;  // prompt tokens of the first sample that came from the prefix cache
  RequestTimings timings;
};

// A piece of a streamed answer. Text is always whole UTF-8. One step may bring several pieces of a
// sample, of different kinds.
struct TextDelta {
  std::uint64_t request_id = 0;
  int index = 0;
  PartKind kind = PartKind::kText;
  std::string text = {};
  std::vector<TokenId> token_ids = {};
  std::vector<TokenLogprobs> logprobs = {};  // one an entry of token_ids when asked for
  FinishReason finish_reason = FinishReason::kNone;
};

// What a step brought: new text and ids of running samples, and the requests that ended.
struct StepOutput {
  std::vector<TextDelta> deltas;
  std::vector<RequestOutput> finished;
};

// What an engine holds and has done since it was made.
struct EngineStats {
  int num_waiting = 0;
  int num_running = 0;
  int num_blocks = 0;
  int num_used_blocks = 0;
  std::int64_t num_steps = 0;
  std::int64_t num_prompt_tokens = 0;  // computed, recomputation after preemption included
  std::int64_t num_generated_tokens = 0;
  std::int64_t num_preemptions = 0;
  std::int64_t num_prefix_lookup_tokens = 0;  // prompt tokens looked up in the prefix cache
  std::int64_t num_prefix_hit_tokens = 0;     // and found there
  std::int64_t num_draft_tokens = 0;          // guesses that speculation had checked
  std::int64_t num_accepted_tokens = 0;       // of them right
};

// Where a generate() call stands; given to its progress callback after every step.
struct Progress {
  int num_prompts = 0;
  int num_finished = 0;
  std::int64_t num_expected_tokens = 0;  // that the call will have generated at most
  double seconds = 0;                    // since the call began
  EngineStats stats;                     // of the engine, tokens counted since the call began
};

}  // namespace quire
