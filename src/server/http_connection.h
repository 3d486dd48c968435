#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "server/buffered_exchange.h"
#include "server/http_limits.h"
#include "server/http_message.h"
#include "server/tls_stream.h"

namespace quire::server {

// One client's connection: reads a request, hands it on, writes the answer, and again. Lives as
// long as its coroutine.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // `tls`: null for one in the clear.
  Connection(StreamSocket socket,
             const std::shared_ptr<TlsContext>& tls,
             const HttpLimits& limits,
             const HttpHandler& handler);

  // The whole life of the connection; ends with it closed, and never throws.
  boost::asio::awaitable<void> run();
  // Answers 503 and closes, for a connection too many.
  boost::asio::awaitable<void> refuse();
  // Closes when the request under way has its answer, at once if there is none.
  void drain();

 private:
  template <typename Parser>
  boost::asio::awaitable<std::size_t> read_more(Parser* parser, boost::system::error_code* error);
  boost::asio::awaitable<std::size_t> receive(boost::asio::mutable_buffer buffer,
                                              boost::system::error_code* error);
  boost::asio::awaitable<std::size_t> send(boost::asio::const_buffer buffer,
                                           boost::system::error_code* error);
  boost::asio::awaitable<void> serve();
  boost::asio::awaitable<bool> wait_for_request();
  boost::asio::awaitable<std::shared_ptr<BufferedExchange>> read_request();
  boost::asio::awaitable<bool> answer(std::shared_ptr<BufferedExchange> exchange);
  boost::asio::awaitable<bool> write_out(std::string data);
  boost::asio::awaitable<void> refuse_and_close(int status, std::string what);
  boost::asio::awaitable<void> close_gently();
  void watch_for_leaving(const std::shared_ptr<BufferedExchange>& exchange);
  void look_for_leaving(const std::shared_ptr<BufferedExchange>& exchange);
  void set_deadline(std::chrono::milliseconds time);
  void clear_deadline();

  StreamSocket socket_;
  std::unique_ptr<TlsStream> tls_;  // over the socket, or null
  boost::beast::flat_buffer buffer_;
  boost::asio::steady_timer deadline_;  // of the operation under way
  boost::asio::steady_timer wake_;      // of the coroutine that waits for an exchange's output
  boost::asio::steady_timer look_;
  const HttpLimits& limits_;
  const HttpHandler& handler_;
  bool timed_out_ = false;
  bool draining_ = false;
  bool waiting_ = false;  // for a request to begin
};

}  // namespace quire::server
