#include "server/http_server.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/http_connection.h"

namespace quire::server {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;

// As many descriptors as the system lets us have: a connection is one.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

Status cannot_listen(const std::string& where, const error_code& error) {
  return {StatusCode::kUnavailable, "cannot listen on " + where + ": " + error.message()};
}

}  // namespace

struct HttpServer::Core {
  Core(const HttpLimits& given, HttpHandler given_handler)
      : limits(given), handler(std::move(given_handler)), signals(io) {}

  asio::awaitable<void> accept(Acceptor* acceptor);
  asio::awaitable<void> keep(std::shared_ptr<Connection> connection);
  Status bind(const asio::generic::stream_protocol::endpoint& endpoint, const std::string& where);
  void wait_for_signal();
  void tell_if_drained();

  HttpLimits limits;
  HttpHandler handler;
  std::shared_ptr<TlsContext> tls;
  asio::io_context io{1};
  std::vector<std::unique_ptr<Acceptor>> acceptors;
  std::vector<std::string> socket_paths;
  std::set<Connection*> connections;
  asio::signal_set signals;
  std::function<void(int)> signal_callback;
  std::function<void()> drained_callback;
};

HttpServer::HttpServer(const HttpLimits& limits, HttpHandler handler)
    : core_(std::make_unique<Core>(limits, std::move(handler))) {
  raise_descriptor_limit();
}

HttpServer::~HttpServer() {
  for (const std::string& path : core_->socket_paths) unlink(path.c_str());
}

Status HttpServer::Core::bind(const asio::generic::stream_protocol::endpoint& endpoint,
                              const std::string& where) {
  auto acceptor = std::make_unique<Acceptor>(io);
  error_code error;
  acceptor->open(endpoint.protocol(), error);
  if (!error) acceptor->set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor->bind(endpoint, error);
  if (!error) acceptor->listen(asio::socket_base::max_listen_connections, error);
  if (error) return cannot_listen(where, error);
  asio::co_spawn(io, accept(acceptor.get()), asio::detached);
  acceptors.push_back(std::move(acceptor));
  return ok_status();
}

Result<int> HttpServer::listen(const std::string& host, int port) {
  error_code error;
  const auto address = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, error);
  const std::string where = host + ":" + std::to_string(port);
  if (error) {
    return invalid_argument("option host " + host.substr(0, 80) +
                            " is no IP address; give one, such as 127.0.0.1 or ::1");
  }
  const asio::ip::tcp::endpoint endpoint(address, static_cast<unsigned short>(port));
  QUIRE_TRY(core_->bind(endpoint, where));
  const auto bound = core_->acceptors.back()->local_endpoint(error);
  if (error) return cannot_listen(where, error);
  asio::ip::tcp::endpoint actual;
  std::copy_n(static_cast<const char*>(static_cast<const void*>(bound.data())),
              std::min(bound.size(), actual.capacity()),
              static_cast<char*>(static_cast<void*>(actual.data())));
  return static_cast<int>(actual.port());
}

Status HttpServer::listen_unix(const std::string& path) {
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return invalid_argument("option unix_socket " + path.substr(0, 80) +
                            " is too long for a socket");
  }
  const asio::local::stream_protocol::endpoint endpoint(path);
  // A socket left behind by a process that was killed would be in the way for ever.
  asio::local::stream_protocol::socket probe(core_->io);
  error_code error;
  probe.connect(endpoint, error);
  if (error == asio::error::connection_refused) unlink(path.c_str());
  QUIRE_TRY(core_->bind(endpoint, path));
  core_->socket_paths.push_back(path);
  return ok_status();
}

asio::awaitable<void> HttpServer::Core::accept(Acceptor* acceptor) {
  asio::steady_timer pause(io);
  while (acceptor->is_open()) {
    error_code error;
    StreamSocket socket(io);
    co_await acceptor->async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::operation_aborted || !acceptor->is_open()) co_return;
    if (error) {
      // No descriptors are left, most likely: those who are served give some back.
      pause.expires_after(std::chrono::milliseconds(50));
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
      continue;
    }
    // Tokens are small and must not wait for one another. Not for Unix sockets, which fail it.
    socket.set_option(asio::ip::tcp::no_delay(true), error);
    // What the kernel holds for a client that does not read counts too; by itself it takes
    // megabytes.
    socket.set_option(asio::socket_base::send_buffer_size(static_cast<int>(limits.unread_bytes)),
                      error);
    auto connection = std::make_shared<Connection>(std::move(socket), tls, limits, handler);
    asio::co_spawn(io, keep(std::move(connection)), asio::detached);
  }
}

asio::awaitable<void> HttpServer::Core::keep(std::shared_ptr<Connection> connection) {
  if (connections.size() >= limits.connections) {
    co_await connection->refuse();
    co_return;
  }
  connections.insert(connection.get());
  co_await connection->run();
  connections.erase(connection.get());
  tell_if_drained();
}

void HttpServer::Core::tell_if_drained() {
  if (!connections.empty() || !drained_callback) return;
  std::exchange(drained_callback, nullptr)();
}

void HttpServer::run() {
  const auto work = asio::make_work_guard(core_->io);
  // A task that throws has failed alone; the others go on.
  while (!core_->io.stopped()) {
    try {
      core_->io.run();
    } catch (const std::exception&) {
      continue;
    }
  }
}

void HttpServer::set_tls(std::shared_ptr<TlsContext> tls) { core_->tls = std::move(tls); }

void HttpServer::post(std::function<void()> task) { asio::post(core_->io, std::move(task)); }

void HttpServer::after(std::chrono::milliseconds delay, std::function<void()> task) {
  auto timer = std::make_shared<asio::steady_timer>(core_->io, delay);
  timer->async_wait([timer, task = std::move(task)](const error_code& error) {
    if (!error) task();
  });
}

void HttpServer::on_signals(const std::vector<int>& signals, std::function<void(int)> callback) {
  for (const int number : signals) {
    error_code ignored;
    core_->signals.add(number, ignored);
  }
  core_->signal_callback = std::move(callback);
  core_->wait_for_signal();
}

void HttpServer::Core::wait_for_signal() {
  signals.async_wait([this](const error_code& error, int number) {
    if (error) return;
    wait_for_signal();
    signal_callback(number);
  });
}

void HttpServer::drain(std::function<void()> on_drained) {
  for (const auto& acceptor : core_->acceptors) {
    error_code ignored;
    acceptor->close(ignored);
  }
  core_->drained_callback = std::move(on_drained);
  for (Connection* connection : core_->connections) connection->drain();
  core_->tell_if_drained();
}

void HttpServer::stop() { core_->io.stop(); }

std::size_t HttpServer::num_connections() const { return core_->connections.size(); }

}  // namespace quire::server
