#include "fuzz/crowd_body.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "engine/engine.h"
#include "fuzz/fuzz_bodies.h"
#include "sampling/logits_processor.h"
#include "sampling/sampler.h"
#include "speculation/drafter.h"
#include "support/fake_runner.h"

namespace quire::fuzz {

Choices::Choices(std::string_view bytes) : bytes_(bytes) {
  std::uint64_t seed = bytes.size();
  for (const char byte : bytes) seed = seed * 31 + static_cast<unsigned char>(byte);
  random_.seed(seed);
}

int Choices::pick(int low, int high) {
  if (!bytes_.empty()) {
    const int byte = static_cast<unsigned char>(bytes_.front());
    bytes_.remove_prefix(1);
    return low + byte % (high - low + 1);
  }
  return std::uniform_int_distribution<int>(low, high)(random_);
}

namespace {

constexpr int kVocab = 23;
constexpr TokenId kEos = 3;
constexpr int kMaxSteps = 20000;
constexpr ToolMarkers kMarkers = {
    .call_begin = 5, .call_end = 6, .result_begin = 7, .result_end = {}};

// Ids 10 to 22 are letters, the others say nothing.
class LetterTokenizer : public Tokenizer {
 public:
  Result<std::vector<TokenId>> encode(std::string_view text) const override {
    std::vector<TokenId> ids;
    for (const char c : text) ids.push_back(10 + c - 'a');
    return ids;
  }
  Result<std::vector<TokenId>> encode_special(std::string_view text) const override {
    return encode(text);
  }
  Result<std::vector<TokenId>> encode_spans(std::span<const TextSpan>) const override {
    return std::vector<TokenId>();
  }
  Result<std::string> decode(std::span<const TokenId> ids, bool) const override {
    std::string text;
    for (const TokenId id : ids) text += token_bytes(id);
    return text;
  }
  std::string token_bytes(TokenId id) const override {
    return {id < 10 ? '-' : static_cast<char>('a' + id - 10)};
  }
  bool is_special(TokenId id) const override { return id < 10; }
  std::optional<TokenId> id_of(std::string_view) const override { return std::nullopt; }
  int vocab_size() const override { return kVocab; }
};

// Says a call backwards, with a long tail; a call that begins with a consonant comes to nothing.
std::optional<std::string> backwards(std::string_view call) {
  if (call.front() != 'a' && call.front() != 'e' && call.front() != 'i') return std::nullopt;
  std::string text;
  for (const char c : call) text.insert(text.begin(), c == '-' ? 'm' : c);
  return text + "abcdefghi";
}

// The result that follows an answer whose last token is the end of a call, worked out from the
// whole answer so far.
std::vector<TokenId> solo_result(const std::vector<TokenId>& output) {
  if (output.back() != kMarkers.call_end) return {};
  std::string call;
  for (std::size_t i = output.size() - 1; i-- > 0;) {
    if (output[i] == kMarkers.call_end) return {};
    if (output[i] == kMarkers.call_begin) {
      const auto result = call.empty() ? std::nullopt : backwards(call);
      if (!result) return {};
      std::vector<TokenId> ids = *LetterTokenizer().encode(*result);
      ids.insert(ids.begin(), *kMarkers.result_begin);
      return ids;
    }
    call.insert(0, LetterTokenizer().token_bytes(output[i]));
  }
  return {};
}

// The answer without an engine: one token after another from the fake model's own definition.
std::vector<TokenId> solo_answer(const Request& request,
                                 int sample_index,
                                 int max_seq_len,
                                 bool has_tool) {
  std::vector<TokenId> tokens = request.prompt_ids;
  std::vector<TokenId> output;
  TokenCounts counts;
  const auto append = [&](TokenId token) {
    tokens.push_back(token);
    output.push_back(token);
    ++counts.output[token];
  };
  for (const TokenId id : tokens) ++counts.prompt[id];
  const std::vector<TokenId> eos =
      request.params.ignore_eos ? std::vector<TokenId>{} : std::vector<TokenId>{kEos};
  const int most = std::min(request.params.max_tokens,
                            max_seq_len - static_cast<int>(request.prompt_ids.size()));
  while (static_cast<int>(output.size()) < most) {
    std::vector<float> logits = FakeRunner::expected_logits(tokens, kVocab);
    process_logits(
        request.params, {.counts = &counts, .output_ids = output, .eos_ids = eos}, logits);
    const TokenId token = *sample(request.params,
                                  {.seed = *request.params.seed,
                                   .sample = static_cast<std::uint32_t>(sample_index),
                                   .position = output.size()},
                                  logits);
    append(token);
    if (!eos.empty() && token == kEos) break;
    if (!has_tool) continue;
    for (const TokenId forced : solo_result(output)) {
      if (static_cast<int>(output.size()) < most) append(forced);
    }
  }
  return output;
}

// Guesses as a test decides.
class TestDrafter : public Drafter {
 public:
  using Guess = std::function<std::vector<TokenId>(std::span<const TokenId>, int most)>;
  explicit TestDrafter(Guess guess) : guess_(std::move(guess)) {}
  std::vector<TokenId> propose(std::span<const TokenId> tokens, int most, double) override {
    return guess_(tokens, most);
  }

 private:
  Guess guess_;
};

class Crowd {
 public:
  explicit Crowd(Choices choices);
  CrowdReport run();

 private:
  Request make_request();
  void submit_some();
  void cancel_some();
  std::vector<TokenId> guess(std::span<const TokenId> tokens, int most);
  void check(const RequestOutput& finished);
  void fail(const std::string& why) {
    if (report_.failure.empty()) report_.failure = why;
  }
  int pick(int low, int high) { return choices_.pick(low, high); }
  bool one_in(int count) { return pick(0, count - 1) == 0; }

  Choices choices_;
  ModelSpec spec_;
  LetterTokenizer tokenizer_;
  bool has_tool_ = false;
  EngineOptions options_;
  CrowdReport report_;
  std::unique_ptr<Engine> engine_;
  std::vector<TokenId> shared_beginning_;
  std::map<RequestId, Request> requests_;
  std::map<RequestId, std::vector<std::vector<TokenId>>> answers_;  // alone, of each sample
  std::set<RequestId> cancelled_;
  int num_to_submit_ = 0;
};

Crowd::Crowd(Choices choices) : choices_(std::move(choices)) {
  spec_ = {.vocab_size = kVocab,
           .max_seq_len = pick(8, 200),
           .num_kv_blocks = pick(4, 40),
           .block_size = 1 << pick(1, 4)};
  options_.max_num_seqs = pick(1, 8);
  options_.max_batch_tokens = pick(1, 40);
  options_.prefix_cache = !one_in(4);
  options_.seed = 7;
  auto runner = std::make_unique<FakeRunner>(spec_);
  if (one_in(4)) {
    runner->set_fault([this](const ModelInput& input) -> Status {
      // Only whole crowds fail: alone, each sequence goes through.
      if (input.past_sequence_lengths.size() == 1 || !one_in(4)) return ok_status();
      ++report_.num_faults;
      return internal_error("injected");
    });
  }
  EngineParts parts{
      .runner = std::move(runner), .tokenizer = nullptr, .eos_ids = {kEos}, .clock_ms = [] {
        return 0.0;
      }};
  has_tool_ = one_in(2);
  if (has_tool_) {
    parts.tokenizer = &tokenizer_;
    parts.tool.emplace(kMarkers, backwards, &tokenizer_);
  }
  if (one_in(2)) options_.speculate = pick(1, 6);
  if (!one_in(3)) {
    parts.make_drafter = [this] {
      return std::make_unique<TestDrafter>(
          [this](std::span<const TokenId> tokens, int most) { return guess(tokens, most); });
    };
  }
  engine_ = std::make_unique<Engine>(std::move(parts), options_);
  for (int i = 0; i < 100; ++i) shared_beginning_.push_back(pick(0, kVocab - 1));
  num_to_submit_ = pick(1, 12);
}

Request Crowd::make_request() {
  Request request;
  const int capacity = std::min(spec_.max_seq_len, spec_.num_kv_blocks * spec_.block_size);
  const int length = pick(1, std::max(1, capacity - 2));
  const int num_shared = one_in(3) ? 0 : pick(0, length);
  for (int i = 0; i < length; ++i) {
    const bool share = i < num_shared && i < static_cast<int>(shared_beginning_.size());
    request.prompt_ids.push_back(share ? shared_beginning_[static_cast<std::size_t>(i)]
                                       : pick(0, kVocab - 1));
  }
  SamplingParams& params = request.params;
  params.n = one_in(5) ? pick(2, 4) : 1;
  params.max_tokens = pick(1, std::max(1, capacity - length));
  params.temperature = one_in(2) ? 0.0 : 0.8;
  params.top_k = one_in(2) ? 0 : 5;
  params.top_p = one_in(2) ? 1.0 : 0.9;
  params.min_p = one_in(4) ? 0.1 : 0.0;
  params.seed = static_cast<std::uint64_t>(pick(0, 1000));
  params.ignore_eos = one_in(2);
  params.repetition_penalty = one_in(3) ? 1.3 : 1.0;
  params.frequency_penalty = one_in(3) ? 0.5 : 0.0;
  params.presence_penalty = one_in(3) ? -0.5 : 0.0;
  params.min_tokens = one_in(4) ? std::min(3, params.max_tokens) : 0;
  if (one_in(4)) params.logit_bias = {{pick(0, kVocab - 1), 2.0}};
  if (has_tool_ && one_in(2)) params.logit_bias = {{5, 3.0}, {6, 3.0}};
  if (one_in(6)) params.bad_words = {{pick(4, kVocab - 1)}, {5, 6}};
  if (one_in(4)) params.logprobs = 2;
  if (one_in(6)) params.prompt_logprobs = 1;
  request.cache_salt = one_in(4) ? "other" : "";
  request.priority = one_in(4) ? pick(-1, 1) : 0;
  return request;
}

void Crowd::submit_some() {
  while (num_to_submit_ > 0 && one_in(3)) {
    --num_to_submit_;
    Request request = make_request();
    const Result<RequestId> id = engine_->submit(request);
    if (!id) return fail("a request was refused: " + id.error().message());
    for (int i = 0; i < request.params.n; ++i) {
      answers_[*id].push_back(solo_answer(request, i, spec_.max_seq_len, has_tool_));
    }
    requests_[*id] = std::move(request);
  }
}

// The beginning of what an answer will go on with, at times with one token that is wrong.
std::vector<TokenId> Crowd::guess(std::span<const TokenId> tokens, int most) {
  for (const auto& [id, request] : requests_) {
    for (const std::vector<TokenId>& answer : answers_.at(id)) {
      std::vector<TokenId> whole = request.prompt_ids;
      whole.insert(whole.end(), answer.begin(), answer.end());
      if (whole.size() <= tokens.size() ||
          !std::ranges::equal(tokens, std::span(whole).first(tokens.size()))) {
        continue;
      }
      whole.erase(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(tokens.size()));
      whole.resize(std::min(whole.size(), static_cast<std::size_t>(pick(0, std::max(most, 0)))));
      if (!whole.empty() && one_in(3)) {
        whole.at(static_cast<std::size_t>(pick(0, static_cast<int>(whole.size()) - 1))) =
            pick(0, kVocab - 1);
      }
      return whole;
    }
  }
  return {};
}

void Crowd::cancel_some() {
  if (requests_.empty() || !one_in(60)) return;
  const auto victim = static_cast<RequestId>(pick(1, static_cast<int>(requests_.size())));
  if (engine_->cancel(victim)) cancelled_.insert(victim);
}

void Crowd::check(const RequestOutput& finished) {
  ++report_.num_finished;
  if (!finished.error.ok()) return fail("a request failed: " + finished.error.message());
  if (cancelled_.contains(finished.request_id)) return;
  const Request& request = requests_.at(finished.request_id);
  const std::string who = "request " + std::to_string(finished.request_id);
  if (static_cast<int>(finished.outputs.size()) != request.params.n) {
    return fail(who + " has another number of samples");
  }
  for (const CompletionOutput& sample : finished.outputs) {
    if (sample.token_ids !=
        answers_.at(finished.request_id).at(static_cast<std::size_t>(sample.index))) {
      fail(who + " got another answer than alone");
    }
    for (const OutputPart& part : sample.parts) {
      report_.num_results += part.kind == PartKind::kToolResult ? 1 : 0;
    }
    if (request.params.logprobs && sample.logprobs.size() != sample.token_ids.size()) {
      fail(who + " lacks log-probabilities");
    }
  }
  if (request.params.prompt_logprobs &&
      finished.prompt_logprobs.size() != request.prompt_ids.size() - 1) {
    fail(who + " lacks log-probabilities of its prompt");
  }
}

CrowdReport Crowd::run() {
  int step = 0;
  while ((num_to_submit_ > 0 || engine_->has_unfinished()) && report_.failure.empty()) {
    if (++step > kMaxSteps) fail("the crowd did not come to an end");
    submit_some();
    cancel_some();
    for (const RequestOutput& finished : engine_->step().finished) check(finished);
  }
  const EngineStats stats = engine_->stats();
  report_.num_preemptions = stats.num_preemptions;
  report_.num_prefix_hits = stats.num_prefix_hit_tokens;
  report_.num_guesses = stats.num_draft_tokens;
  report_.num_right_guesses = stats.num_accepted_tokens;
  if (report_.failure.empty() && stats.num_used_blocks != 0) fail("blocks were lost");
  if (report_.failure.empty() && report_.num_finished != static_cast<int>(requests_.size())) {
    fail("a request was lost");
  }
  return report_;
}

}  // namespace

CrowdReport run_crowd(Choices choices) { return Crowd(std::move(choices)).run(); }

void crowd(std::string_view input) {
  const CrowdReport report = run_crowd(Choices(input));
  QUIRE_CHECK(report.failure.empty(), report.failure.c_str());
}

}  // namespace quire::fuzz
