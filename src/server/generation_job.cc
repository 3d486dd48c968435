#include "server/generation_job.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace quire::server {

namespace {

// Of a request's own time limit and the server's; 0 is none.
double shorter(double own_ms, double server_ms) {
  return own_ms > 0 && server_ms > 0 ? std::min(own_ms, server_ms) : std::max(own_ms, server_ms);
}

}  // namespace

class GenerationJob::Sink : public AnswerSink {
 public:
  Sink(std::shared_ptr<GenerationJob> job, std::size_t prompt)
      : job_(std::move(job)), prompt_(prompt) {}
  void on_delta(const TextDelta& delta) override { job_->on_delta(prompt_, delta); }
  void on_finished(RequestOutput output) override { job_->on_finished(prompt_, std::move(output)); }

 private:
  std::shared_ptr<GenerationJob> job_;
  std::size_t prompt_;
};

GenerationJob::GenerationJob(Prepared prepared,
                             std::unique_ptr<openai::Answer> answer,
                             std::string (*error_body)(const openai::ApiError&),
                             std::shared_ptr<LoggedExchange> exchange,
                             Metrics* metrics)
    : prepared_(std::move(prepared)),
      answer_(std::move(answer)),
      error_body_(error_body),
      exchange_(std::move(exchange)),
      metrics_(metrics) {}

ModelMetrics& GenerationJob::model_metrics() { return metrics_->models[prepared_.model->name()]; }

void GenerationJob::start(std::chrono::milliseconds timeout) {
  exchange_->on_gone([weak = weak_from_this()](GoneReason reason) {
    if (const auto self = weak.lock()) self->abandon(reason);
  });
  if (ended_) return;
  openai::ApiRequest& request = prepared_.request;
  outputs_.resize(request.requests.size());
  num_unfinished_ = outputs_.size();
  num_tokens_.resize(outputs_.size());
  tool_ms_.resize(outputs_.size());
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    GenerateRequest each = std::move(request.requests[i]);
    each.timeout_ms = shorter(each.timeout_ms, static_cast<double>(timeout.count()));
    tickets_.push_back(prepared_.model->submit(std::move(each),
                                               std::move(prepared_.ids[i]),
                                               std::make_shared<Sink>(shared_from_this(), i)));
  }
  if (!request.stream) return;
  exchange_->start_stream({});
  exchange_->write(answer_->begin());
}

void GenerationJob::on_delta(std::size_t prompt, const TextDelta& delta) {
  if (ended_) return;
  num_tokens_[prompt] += delta.token_ids.size();
  // A result comes in one piece, in the step that its call ends in.
  if (delta.kind == PartKind::kToolResult && !delta.token_ids.empty()) {
    tool_ms_[prompt].push_back(exchange_->milliseconds());
  }
  if (!delta.token_ids.empty()) {
    const auto now = Clock::now();
    auto [last, first] = last_token_.try_emplace({prompt, delta.index}, now);
    if (!first) {
      const double seconds = std::chrono::duration<double>(now - last->second).count();
      model_metrics().inter_token_latency.observe(seconds /
                                                  static_cast<double>(delta.token_ids.size()));
      last->second = now;
    }
  }
  if (prepared_.request.stream) exchange_->write(answer_->delta(prompt, delta));
}

void GenerationJob::on_finished(std::size_t prompt, RequestOutput output) {
  if (ended_) return;
  model_metrics().count_output(output);
  num_tokens_[prompt] = 0;  // counted
  AccessRecord& record = exchange_->record();
  record.prompt_tokens += output.num_prompt_tokens;
  PromptRecord answered{.timings = output.timings,
                        .ended_before_ms = exchange_->milliseconds(),
                        .prompt_tokens = output.num_prompt_tokens,
                        .cached_tokens = output.num_cached_tokens,
                        .tool_ms = std::move(tool_ms_[prompt])};
  for (const CompletionOutput& sample : output.outputs) {
    answered.generated_tokens += static_cast<std::int64_t>(sample.token_ids.size());
  }
  record.generated_tokens += answered.generated_tokens;
  if (output.error.ok()) record.prompts.push_back(answered);
  if (!output.error.ok()) {
    fail(output.error);
    return;
  }
  outputs_[prompt] = std::move(output);
  if (--num_unfinished_ == 0) complete();
}

void GenerationJob::complete() {
  ended_ = true;
  if (prepared_.request.stream) {
    exchange_->write(answer_->end(outputs_));
    exchange_->finish();
  } else {
    exchange_->respond({.body = answer_->whole(outputs_)});
  }
}

// One prompt that fails fails its HTTP request, and no other.
void GenerationJob::fail(const Status& status) {
  ended_ = true;
  cancel_rest();
  const openai::ApiError error = openai::api_error(status);
  if (prepared_.request.stream) {
    exchange_->write(answer_->failure(error));
    exchange_->finish();
  } else {
    exchange_->respond(error_response(error, error_body_));
  }
}

void GenerationJob::abandon(GoneReason reason) {
  if (ended_) return;
  ended_ = true;
  ++(reason == GoneReason::kTooSlow ? metrics_->clients_too_slow : metrics_->clients_gone);
  cancel_rest();
}

// What has been generated in vain was generated all the same.
void GenerationJob::cancel_rest() {
  for (std::uint64_t& count : num_tokens_) {
    if (count > 0) model_metrics().generation_tokens += std::exchange(count, 0);
  }
  const auto self = shared_from_this();  // the sinks hold it
  for (const std::uint64_t ticket : tickets_) prepared_.model->cancel(ticket);
}

HttpResponse error_response(const openai::ApiError& error,
                            std::string (*error_body)(const openai::ApiError&)) {
  HttpResponse response{.status = error.status, .body = error_body(error)};
  if (error.status == 503) {
    response.headers = {{"Retry-After", "1"}, {"Retry-After-Ms", "500"}};
  } else if (error.status >= 500) {
    // OpenAI's clients repeat what failed with 5xx; the same request would fail the same way.
    response.headers = {{"X-Should-Retry", "false"}};
  }
  return response;
}

}  // namespace quire::server
