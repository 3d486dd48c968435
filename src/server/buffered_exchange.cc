#include "server/buffered_exchange.h"

#include <array>
#include <charconv>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace quire::server {
namespace {

std::string chunk_of(std::string_view data) {
  std::array<char, 16> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), data.size(), 16);
  std::string chunk(digits.data(), end.ptr);
  chunk += "\r\n";
  chunk += data;
  chunk += "\r\n";
  return chunk;
}

}  // namespace

std::string_view reason_phrase(int status) {
  constexpr std::array<std::pair<int, std::string_view>, 18> kPhrases = {{
      {200, "OK"},
      {204, "No Content"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {415, "Unsupported Media Type"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
  }};
  for (const auto& [code, phrase] : kPhrases) {
    if (code == status) return phrase;
  }
  return "Status";
}

BufferedExchange::BufferedExchange(AnswerForm form,
                                   std::size_t max_backlog,
                                   std::function<void()> wake)
    : form_(form), max_backlog_(max_backlog), wake_(std::move(wake)) {}

void BufferedExchange::write_head(const HttpResponse& response, bool has_length) {
  output_ += "HTTP/1.1 " + std::to_string(response.status) + " ";
  output_ += reason_phrase(response.status);
  output_ += "\r\n";
  if (response.status != 204) output_ += "Content-Type: " + response.content_type + "\r\n";
  if (response.status == 204) {
    // Has no body, and so no length.
  } else if (has_length) {
    output_ += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
  } else if (!form_.http_1_0) {
    output_ += "Transfer-Encoding: chunked\r\n";
  }
  for (const auto& [name, value] : response.headers) output_ += name + ": " + value + "\r\n";
  if (!form_.keep_alive) output_ += "Connection: close\r\n";
  if (form_.keep_alive && form_.http_1_0) output_ += "Connection: keep-alive\r\n";
  output_ += "\r\n";
}

void BufferedExchange::respond(HttpResponse response) {
  if (gone_ || streaming_ || finished_) return;
  write_head(response, /*has_length=*/true);
  if (!form_.head_only && response.status != 204) output_ += response.body;
  finished_ = true;
  gone_callback_ = nullptr;
  wake_();
}

void BufferedExchange::start_stream(HttpHeaders headers) {
  if (gone_ || streaming_ || finished_) return;
  if (form_.http_1_0) form_.keep_alive = false;
  headers.emplace_back("Cache-Control", "no-cache");
  // nginx would collect the events otherwise.
  headers.emplace_back("X-Accel-Buffering", "no");
  write_head({.headers = std::move(headers), .content_type = "text/event-stream; charset=utf-8"},
             /*has_length=*/false);
  streaming_ = true;
  wake_();
}

void BufferedExchange::write(std::string_view events) {
  if (gone_ || !streaming_ || finished_ || events.empty()) return;
  // What waits already counts, not this piece: one large event is no slow reader.
  if (output_.size() + in_flight_ > max_backlog_) {
    leave(GoneReason::kTooSlow);
    return;
  }
  output_ += form_.http_1_0 ? std::string(events) : chunk_of(events);
  wake_();
}

void BufferedExchange::write_comment() { write(": keep-alive\n\n"); }

void BufferedExchange::finish() {
  if (gone_ || !streaming_ || finished_) return;
  if (!form_.http_1_0) output_ += "0\r\n\r\n";
  finished_ = true;
  gone_callback_ = nullptr;
  wake_();
}

void BufferedExchange::on_gone(std::function<void(GoneReason)> callback) {
  if (gone_) {
    callback(GoneReason::kLeft);
  } else if (!finished_) {
    gone_callback_ = std::move(callback);
  }
}

std::string BufferedExchange::take_output() {
  in_flight_ = output_.size();
  return std::exchange(output_, {});
}

void BufferedExchange::leave(GoneReason reason) {
  if (gone_) return;
  gone_ = true;
  output_.clear();
  // Moved out first: the callback may let go of whatever it belongs to.
  if (const auto callback = std::exchange(gone_callback_, nullptr)) callback(reason);
  wake_();
}

}  // namespace quire::server
