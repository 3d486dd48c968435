#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "quire/output.h"
#include "server/http_message.h"

namespace quire::server {

// What became of one of a request's prompts.
struct PromptRecord {
  RequestTimings timings;
  double ended_before_ms = 0;  // the request did; until that is over, after it came
  std::int64_t prompt_tokens = 0;
  std::int64_t cached_tokens = 0;
  std::int64_t generated_tokens = 0;
  std::vector<double> tool_ms;  // after the request came: when the engine's own tool had answered
};

// What a log says of a request; nothing of what was in it.
struct AccessRecord {
  std::string method;
  std::string path;
  std::string request_id;
  std::string traceparent;  // W3C's, as it came; empty for none
  std::string model;
  int status = 0;  // 499: the client left first
  double milliseconds = 0;
  std::int64_t prompt_tokens = 0;
  std::int64_t generated_tokens = 0;
  std::vector<PromptRecord> prompts;  // those that were answered
};

// An exchange that adds the headers which every answer has, and makes a record of it in the end.
class LoggedExchange : public Exchange, public std::enable_shared_from_this<LoggedExchange> {
 public:
  using Done = std::function<void(const AccessRecord&)>;
  LoggedExchange(std::shared_ptr<Exchange> inner,
                 AccessRecord record,
                 HttpHeaders headers,
                 Done done);

  void respond(HttpResponse response) override;
  void start_stream(HttpHeaders headers) override;
  void write(std::string_view events) override { inner_->write(events); }
  void finish() override;
  void on_gone(std::function<void(GoneReason)> callback) override;

  AccessRecord& record() { return record_; }
  double milliseconds() const;  // since it came

 private:
  void end();

  std::shared_ptr<Exchange> inner_;
  AccessRecord record_;
  HttpHeaders headers_;
  Done done_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace quire::server
