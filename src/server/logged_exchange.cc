#include "server/logged_exchange.h"

#include <chrono>
#include <memory>
#include <utility>

namespace quire::server {

LoggedExchange::LoggedExchange(std::shared_ptr<Exchange> inner,
                               AccessRecord record,
                               HttpHeaders headers,
                               Done done)
    : inner_(std::move(inner)),
      record_(std::move(record)),
      headers_(std::move(headers)),
      done_(std::move(done)) {}

void LoggedExchange::respond(HttpResponse response) {
  record_.status = response.status;
  response.headers.insert(response.headers.end(), headers_.begin(), headers_.end());
  inner_->respond(std::move(response));
  end();
}

void LoggedExchange::start_stream(HttpHeaders headers) {
  record_.status = 200;
  headers.insert(headers.end(), headers_.begin(), headers_.end());
  inner_->start_stream(std::move(headers));
}

void LoggedExchange::finish() {
  inner_->finish();
  end();
}

void LoggedExchange::on_gone(std::function<void(GoneReason)> callback) {
  inner_->on_gone([weak = weak_from_this(), callback = std::move(callback)](GoneReason reason) {
    // Held: the callback may let go of everything that holds this.
    const auto self = weak.lock();
    if (!self) return;
    constexpr int kClientClosedRequest = 499;  // nginx's number; never sent
    self->record_.status = kClientClosedRequest;
    callback(reason);
    self->end();
  });
}

double LoggedExchange::milliseconds() const {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin_)
      .count();
}

void LoggedExchange::end() {
  if (const Done done = std::exchange(done_, nullptr)) {
    record_.milliseconds = milliseconds();
    for (PromptRecord& prompt : record_.prompts) {
      prompt.ended_before_ms = record_.milliseconds - prompt.ended_before_ms;
    }
    done(record_);
  }
}

}  // namespace quire::server
