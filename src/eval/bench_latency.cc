#include "eval/bench_latency.h"

#include <algorithm>
#include <cstdint>
#include <random>
#include <utility>
#include <variant>
#include <vector>

#include "eval/bench_requests.h"

namespace quire {
namespace {

constexpr int kLongPrompt = 1000;   // tokens
constexpr int kSuffix = 8;          // tokens after the beginning that prompts share
constexpr int kStreams = 16;        // decoding at once
constexpr int kStreamPrompt = 128;  // tokens each of them starts with
constexpr int kUsualSteps = 24;     // steps that tell the usual wait
constexpr int kRepeats = 3;         // the median counts

class LatencyBench {
 public:
  LatencyBench(int num_prompt, Llm* llm)
      : num_prompt_(num_prompt), vocab_(llm->runner().spec().vocab_size), llm_(llm) {}

  Result<double> cold() {
    beginning_ = new_ids(num_prompt_ - kSuffix);
    return time_to_first_token();
  }
  Result<double> cached() { return time_to_first_token(); }
  Result<double> shared();
  Status streams(double* usual, double* longest);

 private:
  std::vector<TokenId> new_ids(int count) {
    return std::get<std::vector<TokenId>>(random_request(count, 1, vocab_, &random_).prompt);
  }
  GenerateRequest with_suffix(int num_output);
  Result<double> time_to_first_token();
  Result<double> step();
  Status run_to_first_token(std::uint64_t id);
  Status drain();

  int num_prompt_;
  int vocab_;
  Llm* llm_;
  std::mt19937 random_{2};
  std::vector<TokenId> beginning_;
  std::vector<std::uint64_t> running_;
};

// The beginning that is asked for again and again, and a new end.
GenerateRequest LatencyBench::with_suffix(int num_output) {
  std::vector<TokenId> ids = beginning_;
  for (const TokenId id : new_ids(kSuffix)) ids.push_back(id);
  GenerateRequest request{.prompt = std::move(ids)};
  request.params.max_tokens = num_output;
  request.params.ignore_eos = true;
  return request;
}

// Milliseconds of one step.
Result<double> LatencyBench::step() {
  const auto start = BenchClock::now();
  for (const RequestOutput& finished : llm_->step().finished) QUIRE_TRY(finished.error);
  return seconds_since(start) * 1e3;
}

Status LatencyBench::run_to_first_token(std::uint64_t id) {
  while (llm_->has_unfinished()) {
    const StepOutput output = llm_->step();
    for (const RequestOutput& finished : output.finished) QUIRE_TRY(finished.error);
    for (const TextDelta& delta : output.deltas) {
      if (delta.request_id == id) return ok_status();
    }
  }
  return internal_error("a request ended without a token");
}

Result<double> LatencyBench::time_to_first_token() {
  const GenerateRequest request = with_suffix(1);
  const auto start = BenchClock::now();
  QUIRE_ASSIGN(const std::uint64_t id, llm_->submit(request));
  QUIRE_TRY(run_to_first_token(id));
  return seconds_since(start) * 1e3;
}

Status LatencyBench::drain() {
  for (const std::uint64_t id : running_) llm_->cancel(id);
  running_.clear();
  while (llm_->has_unfinished()) QUIRE_TRY(step().error());
  return ok_status();
}

Result<double> LatencyBench::shared() {
  beginning_ = new_ids(num_prompt_ - kSuffix);
  QUIRE_ASSIGN(const std::uint64_t id, llm_->submit(with_suffix(kUsualSteps)));
  running_.push_back(id);
  QUIRE_TRY(run_to_first_token(id));
  QUIRE_ASSIGN(const double time, time_to_first_token());
  QUIRE_TRY(drain());
  return time;
}

Status LatencyBench::streams(double* usual, double* longest) {
  const int most = kStreamPrompt + 2 * num_prompt_;  // tokens that none may reach
  for (int i = 0; i < kStreams; ++i) {
    QUIRE_ASSIGN(const std::uint64_t id,
                 llm_->submit(random_request(kStreamPrompt, most, vocab_, &random_)));
    running_.push_back(id);
  }
  QUIRE_TRY(run_to_first_token(running_.back()));
  std::vector<double> steps;
  for (int i = 0; i < kUsualSteps; ++i) {
    QUIRE_ASSIGN(const double time, step());
    steps.push_back(time);
  }
  *usual = median(steps);
  *longest = 0;
  const std::int64_t all_prompts = llm_->stats().num_prompt_tokens + num_prompt_;
  QUIRE_ASSIGN(const std::uint64_t id,
               llm_->submit(random_request(num_prompt_, 1, vocab_, &random_)));
  running_.push_back(id);
  while (llm_->stats().num_prompt_tokens < all_prompts) {
    QUIRE_ASSIGN(const double time, step());
    *longest = std::max(*longest, time);
  }
  return drain();
}

}  // namespace

Result<BenchLatency> measure_latency(int max_seq_len, Llm* llm) {
  const int num_prompt = std::min(kLongPrompt, (max_seq_len - kStreamPrompt - 1) / 2);
  if (num_prompt <= 2 * kSuffix) {
    return invalid_argument("the model's context of " + std::to_string(max_seq_len) +
                            " is too short to measure latency; leave option latency out");
  }
  LatencyBench bench(num_prompt, llm);
  QUIRE_TRY(bench.cold().error());  // warms up
  std::vector<double> cold, cached, shared, usual, longest;
  for (int i = 0; i < kRepeats; ++i) {
    QUIRE_ASSIGN(const double cold_ms, bench.cold());
    QUIRE_ASSIGN(const double cached_ms, bench.cached());
    QUIRE_ASSIGN(const double shared_ms, bench.shared());
    double usual_ms = 0;
    double longest_ms = 0;
    QUIRE_TRY(bench.streams(&usual_ms, &longest_ms));
    cold.push_back(cold_ms);
    cached.push_back(cached_ms);
    shared.push_back(shared_ms);
    usual.push_back(usual_ms);
    longest.push_back(longest_ms);
  }
  return BenchLatency{.num_prompt = num_prompt,
                      .ttft_cold = median(cold),
                      .ttft_cached = median(cached),
                      .ttft_shared = median(shared),
                      .num_streams = kStreams,
                      .inter_token = median(usual),
                      .inter_token_late = median(longest)};
}

}  // namespace quire
