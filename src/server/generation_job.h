#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "openai/answer.h"
#include "server/logged_exchange.h"
#include "server/metrics.h"
#include "server/preparation.h"

namespace quire::server {

// A prepared request on its way through the engine: writes the answer as it comes, and takes the
// request back when its client goes. On the I/O thread; lives as long as the engine or the exchange
// has to do with it.
class GenerationJob : public std::enable_shared_from_this<GenerationJob> {
 public:
  GenerationJob(Prepared prepared,
                std::unique_ptr<openai::Answer> answer,
                std::string (*error_body)(const openai::ApiError&),
                std::shared_ptr<LoggedExchange> exchange,
                Metrics* metrics);

  // Submits its prompts. `timeout`: 0 for none.
  void start(std::chrono::milliseconds timeout);

 private:
  class Sink;
  using Clock = std::chrono::steady_clock;

  void on_delta(std::size_t prompt, const TextDelta& delta);
  void on_finished(std::size_t prompt, RequestOutput output);
  void fail(const Status& status);
  void complete();
  void abandon(GoneReason reason);
  void cancel_rest();
  ModelMetrics& model_metrics();

  Prepared prepared_;
  std::unique_ptr<openai::Answer> answer_;
  std::string (*error_body_)(const openai::ApiError&);
  std::shared_ptr<LoggedExchange> exchange_;
  Metrics* metrics_;
  std::vector<std::uint64_t> tickets_;
  std::vector<RequestOutput> outputs_;
  std::size_t num_unfinished_ = 0;
  std::vector<std::vector<double>> tool_ms_;  // by prompt, when results of a tool came
  std::vector<std::uint64_t> num_tokens_;     // of each prompt's answer that have come
  bool ended_ = false;
  std::map<std::pair<std::size_t, int>, Clock::time_point> last_token_;  // by prompt and sample
};

// The response to a request that cannot be answered.
HttpResponse error_response(const openai::ApiError& error,
                            std::string (*error_body)(const openai::ApiError&));

}  // namespace quire::server
