#include "server/http_connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace quire::server {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Parser = http::request_parser<http::string_body>;

constexpr milliseconds kLookAgain{250};
constexpr milliseconds kLinger{2'000};
constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::size_t kIdleBytes = 2 * 1024;
constexpr std::size_t kLingerBytes = 8 * 1024 * 1024;

auto into(error_code* error) { return asio::redirect_error(asio::use_awaitable, *error); }

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(
      result, result.begin(), [](char c) { return 'A' <= c && c <= 'Z' ? c + ('a' - 'A') : c; });
  return result;
}

HttpRequest plain_request(Parser* parser) {
  auto message = parser->release();
  HttpRequest request;
  request.method = std::string(message.method_string());
  const std::string_view target(message.target().data(), message.target().size());
  const std::size_t mark = std::min(target.find('?'), target.size());
  request.path = std::string(target.substr(0, mark));
  request.query = std::string(target.substr(std::min(mark + 1, target.size())));
  for (const auto& field : message) {
    request.headers.emplace_back(lower({field.name_string().data(), field.name_string().size()}),
                                 std::string(field.value().data(), field.value().size()));
  }
  request.body = std::move(message.body());
  return request;
}

// What is wrong with a head before its body is read; 0 for nothing.
int status_of_head(const Parser& parser, const HttpLimits& limits) {
  const auto& message = parser.get();
  const auto fields = static_cast<std::size_t>(std::distance(message.begin(), message.end()));
  if (message.version() != 11 && message.version() != 10) return 505;
  if (message.target().size() > limits.target_bytes) return 414;
  if (fields > limits.header_fields) return 431;
  // A body in another coding could unfold to any size.
  if (message.count(http::field::content_encoding) > 0) return 415;
  const auto coding = message[http::field::transfer_encoding];
  if (!coding.empty() && lower({coding.data(), coding.size()}) != "chunked") return 501;
  // RFC 9112: an HTTP/1.1 request names its host, once.
  if (message.version() == 11 && message.count(http::field::host) != 1) return 400;
  return 0;
}

int status_of_error(const error_code& error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) return 431;
  if (error == http::error::body_limit) return 413;
  return 400;
}

}  // namespace

std::string_view HttpRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

Connection::Connection(StreamSocket socket,
                       const std::shared_ptr<TlsContext>& tls,
                       const HttpLimits& limits,
                       const HttpHandler& handler)
    : socket_(std::move(socket)),
      tls_(tls ? make_tls_stream(tls, socket_) : nullptr),
      buffer_(limits.read_ahead_bytes),
      deadline_(socket_.get_executor()),
      wake_(socket_.get_executor()),
      look_(socket_.get_executor()),
      limits_(limits),
      handler_(handler) {}

void Connection::set_deadline(milliseconds time) {
  timed_out_ = false;
  deadline_.expires_after(time);
  deadline_.async_wait([weak = weak_from_this()](const error_code& error) {
    const auto self = weak.lock();
    // An expiry that was on its way already when the deadline moved does not count.
    if (error || !self || self->deadline_.expiry() > steady_clock::now()) return;
    self->timed_out_ = true;
    error_code ignored;
    self->socket_.cancel(ignored);
  });
}

void Connection::clear_deadline() { deadline_.expires_at(steady_clock::time_point::max()); }

void Connection::drain() {
  draining_ = true;
  error_code ignored;
  if (waiting_) socket_.cancel(ignored);
}

asio::awaitable<void> Connection::run() {
  // Out of memory, or a bug: the end of this connection and of nothing else.
  try {
    error_code error;
    if (tls_) {
      set_deadline(limits_.header_time);
      co_await tls_->handshake(&error);
    }
    if (!error) co_await serve();
  } catch (const std::exception&) {
    draining_ = true;
  }
  clear_deadline();
  look_.cancel();
  error_code ignored;
  socket_.close(ignored);
}

asio::awaitable<void> Connection::serve() {
  while (co_await wait_for_request()) {
    const std::shared_ptr<BufferedExchange> exchange = co_await read_request();
    if (!exchange) co_return;
    const bool more = co_await answer(exchange);
    if (!more) break;
  }
  error_code error;
  const bool unread = buffer_.size() > 0 || socket_.available(error) > 0;
  if (unread || tls_) co_await close_gently();
}

asio::awaitable<std::size_t> Connection::receive(asio::mutable_buffer buffer, error_code* error) {
  if (tls_) co_return co_await tls_->read_some(buffer, error);
  co_return co_await socket_.async_read_some(buffer, into(error));
}

// Gives the parser what is there, or reads more for it; returns how much was read.
template <typename Parser>
asio::awaitable<std::size_t> Connection::read_more(Parser* parser, error_code* error) {
  if (buffer_.size() > 0) {
    buffer_.consume(parser->put(buffer_.data(), *error));
    if (*error != http::error::need_more) co_return 0;
    *error = {};
  }
  const std::size_t room = std::min(kReadBytes, buffer_.max_size() - buffer_.size());
  if (room == 0) {
    *error = http::error::buffer_overflow;
    co_return 0;
  }
  const std::size_t got = co_await receive(buffer_.prepare(room), error);
  buffer_.commit(got);
  if (*error == asio::error::eof) {
    *error = parser->got_some() ? http::error::partial_message : http::error::end_of_stream;
  }
  co_return got;
}

// Without a buffer, so that an idle connection costs next to nothing.
asio::awaitable<bool> Connection::wait_for_request() {
  if (draining_) co_return false;
  if (buffer_.size() > 0) co_return true;
  buffer_ = boost::beast::flat_buffer(limits_.read_ahead_bytes);
  waiting_ = true;
  set_deadline(limits_.keep_alive_time);
  error_code error;
  if (tls_) {
    // What came last may hold the beginning of the next request; the socket would not tell.
    buffer_.commit(co_await receive(buffer_.prepare(kIdleBytes), &error));
  } else {
    co_await socket_.async_wait(asio::socket_base::wait_read, into(&error));
  }
  clear_deadline();
  waiting_ = false;
  co_return !error && !draining_;
}

// Reads a request and hands it on; null after one that cannot be, which is answered.
asio::awaitable<std::shared_ptr<BufferedExchange>> Connection::read_request() {
  Parser parser;
  parser.header_limit(limits_.header_bytes);
  parser.body_limit(limits_.body_bytes);
  int chunks_left = limits_.body_chunks;
  auto count_chunk = [&chunks_left](std::uint64_t, auto, error_code& error) {
    if (--chunks_left < 0) error = http::error::bad_chunk;
  };
  parser.on_chunk_header(count_chunk);
  error_code error;
  set_deadline(limits_.header_time);
  while (!error && !parser.is_header_done()) co_await read_more(&parser, &error);
  if (!error) {
    const int status = status_of_head(parser, limits_);
    if (status != 0) {
      co_await refuse_and_close(status, "the head of the request");
      co_return nullptr;
    }
    if (boost::beast::iequals(parser.get()[http::field::expect], "100-continue")) {
      const bool sent = co_await write_out("HTTP/1.1 100 Continue\r\n\r\n");
      if (!sent) co_return nullptr;
    }
  }
  parser.eager(true);
  std::uint64_t in_window = limits_.body_window_bytes;
  while (!error && !parser.is_done()) {
    if (in_window >= limits_.body_window_bytes) {
      set_deadline(limits_.body_window);
      in_window = 0;
    }
    in_window += co_await read_more(&parser, &error);
  }
  clear_deadline();
  if (error) {
    const bool left = error == http::error::end_of_stream || error == http::error::partial_message;
    if (timed_out_) {
      co_await refuse_and_close(408, "the request took too long to arrive");
    } else if (!left &&
               error.category() == http::make_error_code(http::error::bad_chunk).category()) {
      co_await refuse_and_close(status_of_error(error), "the request: " + error.message());
    }
    co_return nullptr;
  }
  const AnswerForm form{.http_1_0 = parser.get().version() == 10,
                        .head_only = parser.get().method() == http::verb::head,
                        .keep_alive = parser.keep_alive() && !draining_};
  const auto exchange =
      std::make_shared<BufferedExchange>(form, limits_.unread_bytes, [weak = weak_from_this()] {
        // An exchange may be kept past the end of the connection, and of the server.
        if (const auto self = weak.lock()) self->wake_.cancel();
      });
  handler_(plain_request(&parser), exchange);
  co_return exchange;
}

// Sends what the exchange brings until it is finished; whether the connection goes on.
asio::awaitable<bool> Connection::answer(std::shared_ptr<BufferedExchange> exchange) {
  watch_for_leaving(exchange);
  while (!exchange->is_gone()) {
    if (exchange->has_output()) {
      const bool sent = co_await write_out(exchange->take_output());
      if (!sent) exchange->leave(timed_out_ ? GoneReason::kTooSlow : GoneReason::kLeft);
      continue;
    }
    exchange->take_output();  // nothing is in flight now
    if (exchange->is_finished()) break;
    wake_.expires_after(limits_.silence);
    error_code woken;
    co_await wake_.async_wait(into(&woken));
    if (!woken && exchange->is_streaming()) exchange->write_comment();
    if (!socket_.is_open()) exchange->leave(GoneReason::kLeft);
  }
  look_.cancel();
  error_code ignored;
  if (exchange->is_gone()) {
    socket_.close(ignored);
    co_return false;
  }
  socket_.cancel(ignored);  // the watch
  co_return exchange->keep_alive() && !draining_;
}

asio::awaitable<std::size_t> Connection::send(asio::const_buffer buffer, error_code* error) {
  if (tls_) co_return co_await tls_->write_some(buffer, error);
  co_return co_await socket_.async_write_some(buffer, into(error));
}

// Every piece that goes out begins the time anew.
asio::awaitable<bool> Connection::write_out(std::string data) {
  std::size_t sent = 0;
  error_code error;
  while (sent < data.size() && !error) {
    set_deadline(limits_.write_stall);
    const asio::const_buffer rest(data.data() + sent, data.size() - sent);
    sent += co_await send(rest, &error);
  }
  clear_deadline();
  co_return !error;
}

asio::awaitable<void> Connection::refuse_and_close(int status, std::string what) {
  const std::string phrase(reason_phrase(status));
  std::string message;
  for (const char c : what + ": " + phrase) message += c == '"' || c == '\\' ? '\'' : c;
  const char* const type = status >= 500 ? "server_error" : "invalid_request_error";
  BufferedExchange exchange({.keep_alive = false}, limits_.unread_bytes, [] {});
  exchange.respond({.status = status,
                    .body = R"({"error":{"message":")" + message + R"(","type":")" + type +
                            R"(","param":null,"code":null}})",
                    .headers = status == 503 ? HttpHeaders{{"Retry-After", "1"}} : HttpHeaders{}});
  const bool sent = co_await write_out(exchange.take_output());
  if (sent) co_await close_gently();
}

asio::awaitable<void> Connection::refuse() {
  try {
    // A handshake is more than is spent on one too many.
    if (!tls_) co_await refuse_and_close(503, "too many connections");
  } catch (const std::exception&) {
    draining_ = true;
  }
  error_code ignored;
  socket_.close(ignored);
}

// A close with unread input would reset the connection, and the client might lose the answer.
asio::awaitable<void> Connection::close_gently() {
  error_code error;
  set_deadline(kLinger);
  if (tls_) {
    co_await tls_->shut_down();
    clear_deadline();
    co_return;
  }
  socket_.shutdown(asio::socket_base::shutdown_send, error);
  if (error) co_return;
  std::array<char, 4096> scrap{};
  std::size_t total = 0;
  while (!error && total < kLingerBytes) {
    total += co_await socket_.async_read_some(asio::buffer(scrap), into(&error));
  }
  clear_deadline();
}

void Connection::watch_for_leaving(const std::shared_ptr<BufferedExchange>& exchange) {
  socket_.async_wait(
      asio::socket_base::wait_read,
      [weak = weak_from_this(), watched = std::weak_ptr(exchange)](const error_code& error) {
        const auto self = weak.lock();
        const auto alive = watched.lock();
        if (error || !self || !alive || alive->is_finished() || alive->is_gone()) return;
        char next = 0;
        const auto got = recv(self->socket_.native_handle(), &next, 1, MSG_PEEK | MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK)) {
          alive->leave(GoneReason::kLeft);
        } else if (got < 0) {
          self->watch_for_leaving(alive);
        } else {
          self->look_for_leaving(alive);  // the next request is there: readable for good
        }
      });
}

void Connection::look_for_leaving(const std::shared_ptr<BufferedExchange>& exchange) {
  look_.expires_after(kLookAgain);
  look_.async_wait(
      [weak = weak_from_this(), watched = std::weak_ptr(exchange)](const error_code& error) {
        const auto self = weak.lock();
        const auto alive = watched.lock();
        if (error || !self || !alive || alive->is_finished() || alive->is_gone()) return;
        pollfd state{.fd = self->socket_.native_handle(), .events = POLLRDHUP, .revents = 0};
        if (poll(&state, 1, 0) == 1) {
          alive->leave(GoneReason::kLeft);
        } else {
          self->look_for_leaving(alive);
        }
      });
}

}  // namespace quire::server
