#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "quire/result.h"
#include "quire/status.h"
#include "server/http_limits.h"
#include "server/http_message.h"
#include "server/tls_context.h"

namespace quire::server {

// HTTP/1.1 on one thread: the one that calls run(). What is not marked "any thread" belongs to it,
// or to the time before.
class HttpServer {
 public:
  HttpServer(const HttpLimits& limits, HttpHandler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Binds an address, a literal one or "localhost"; port 0: any. Returns the port.
  Result<int> listen(const std::string& host, int port);
  // What new connections are encrypted with; null for none. Those that are there keep theirs.
  void set_tls(std::shared_ptr<TlsContext> tls);
  // Binds a path; a socket that is already there and answers nobody is replaced.
  Status listen_unix(const std::string& path);

  // Serves until stop().
  void run();
  // Runs `task` on the I/O thread. Any thread.
  void post(std::function<void()> task);
  // Runs `task` on the I/O thread after a while, unless the server stops before.
  void after(std::chrono::milliseconds delay, std::function<void()> task);
  // Calls back on the I/O thread for each of these signals, in place of their effect.
  void on_signals(const std::vector<int>& signals, std::function<void(int)> callback);

  // Takes no more connections, closes those without a request and the others after their answer;
  // calls back when none is left.
  void drain(std::function<void()> on_drained);
  void stop();

  std::size_t num_connections() const;

 private:
  struct Core;
  std::unique_ptr<Core> core_;
};

}  // namespace quire::server
