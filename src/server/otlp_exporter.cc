#include "server/otlp_exporter.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/otlp_spans.h"

namespace quire::server {
namespace {

using Clock = std::chrono::steady_clock;

// A socket of one POST, on which nothing takes longer than until the deadline.
class Client {
 public:
  explicit Client(Clock::time_point deadline) : deadline_(deadline) {}
  ~Client() {
    if (socket_ >= 0) close(socket_);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connect_to(const OtlpEndpoint& endpoint) {
    sockaddr_storage storage{};
    socklen_t size = 0;
    auto* const generic = static_cast<sockaddr*>(static_cast<void*>(&storage));
    auto* const v4 = static_cast<sockaddr_in*>(static_cast<void*>(&storage));
    auto* const v6 = static_cast<sockaddr_in6*>(static_cast<void*>(&storage));
    const auto port = htons(static_cast<std::uint16_t>(endpoint.port));
    if (inet_pton(AF_INET, endpoint.host.c_str(), &v4->sin_addr) == 1) {
      v4->sin_family = AF_INET;
      v4->sin_port = port;
      size = sizeof *v4;
    } else if (inet_pton(AF_INET6, endpoint.host.c_str(), &v6->sin6_addr) == 1) {
      v6->sin6_family = AF_INET6;
      v6->sin6_port = port;
      size = sizeof *v6;
    } else {
      return false;
    }
    socket_ = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket_ < 0) return false;
    if (connect(socket_, generic, size) == 0) return true;
    if (errno != EINPROGRESS || !wait_for(POLLOUT)) return false;
    int error = 0;
    socklen_t length = sizeof error;
    return getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0;
  }

  bool write(std::string_view data) {
    while (!data.empty()) {
      const ssize_t sent = send(socket_, data.data(), data.size(), MSG_NOSIGNAL);
      if (sent > 0) {
        data.remove_prefix(static_cast<std::size_t>(sent));
      } else if ((errno != EAGAIN && errno != EINTR) || !wait_for(POLLOUT)) {
        return false;
      }
    }
    return true;
  }

  // The first line of the answer is all that matters.
  std::string read_line() {
    std::string line;
    while (line.find('\n') == std::string::npos && line.size() < 4096) {
      char piece[512];
      const ssize_t got = recv(socket_, piece, sizeof piece, 0);
      if (got > 0) {
        line.append(piece, static_cast<std::size_t>(got));
      } else if (got == 0 || (errno != EAGAIN && errno != EINTR) || !wait_for(POLLIN)) {
        break;
      }
    }
    return line;
  }

 private:
  bool wait_for(short events) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
    pollfd state{.fd = socket_, .events = events, .revents = 0};
    return left > 0 && poll(&state, 1, static_cast<int>(left)) == 1;
  }

  Clock::time_point deadline_;
  int socket_ = -1;
};

bool is_success(std::string_view line) {
  return line.starts_with("HTTP/1.") && line.size() > 9 && line.substr(8, 2) == " 2";
}

bool is_address(const std::string& host) {
  in6_addr scrap{};
  return inet_pton(AF_INET, host.c_str(), &scrap) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &scrap) == 1;
}

}  // namespace

Result<OtlpEndpoint> parse_otlp_endpoint(const std::string& url) {
  const Status refusal =
      invalid_argument("option otlp_endpoint " + url.substr(0, 100) +
                       " is no address of a collector; give one such as http://127.0.0.1:4318");
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return refusal;
  std::string rest = url.substr(kScheme.size());
  OtlpEndpoint endpoint;
  const std::size_t slash = rest.find('/');
  if (slash != std::string::npos) {
    if (slash + 1 < rest.size()) endpoint.path = rest.substr(slash);
    rest.resize(slash);
  }
  const auto is_plain = [](char c) { return c > ' ' && c < '\x7f'; };
  if (!std::ranges::all_of(endpoint.path, is_plain)) return refusal;
  const std::size_t bracket = rest.find(']');
  const std::size_t colon = rest.find(':', bracket == std::string::npos ? 0 : bracket);
  if (colon != std::string::npos) {
    const std::string port = rest.substr(colon + 1);
    const auto [end, error] =
        std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
    if (error != std::errc() || end != port.data() + port.size() || endpoint.port < 1 ||
        endpoint.port > 65535) {
      return refusal;
    }
    rest.resize(colon);
  }
  if (rest.starts_with('[') && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
  endpoint.host = rest == "localhost" ? "127.0.0.1" : rest;
  if (!is_address(endpoint.host)) return refusal;
  return endpoint;
}

OtlpExporter::OtlpExporter(OtlpEndpoint endpoint, const OtlpOptions& options)
    : endpoint_(std::move(endpoint)), options_(options), thread_([this] { run(); }) {}

OtlpExporter::~OtlpExporter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void OtlpExporter::add(std::vector<std::string> spans) {
  const std::lock_guard lock(mutex_);
  if (waiting_.size() + spans.size() > options_.max_waiting) {
    dropped_ += spans.size();
    return;
  }
  for (std::string& span : spans) waiting_.push_back(std::move(span));
  if (waiting_.size() >= options_.batch) changed_.notify_one();
}

void OtlpExporter::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait_for(
        lock, options_.interval, [this] { return stopping_ || waiting_.size() >= options_.batch; });
    const bool last = stopping_;
    const auto count = static_cast<std::ptrdiff_t>(std::min(waiting_.size(), options_.batch));
    std::vector<std::string> batch(std::make_move_iterator(waiting_.begin()),
                                   std::make_move_iterator(waiting_.begin() + count));
    waiting_.erase(waiting_.begin(), waiting_.begin() + count);
    if (last) {
      dropped_ += waiting_.size();  // past one more batch nobody waits
      waiting_.clear();
    }
    lock.unlock();
    if (!batch.empty()) send(batch);
    if (last) return;
    lock.lock();
  }
}

void OtlpExporter::send(const std::vector<std::string>& spans) {
  bool sent = false;
  try {
    const std::string body = otlp_body(spans);
    const std::string host =
        endpoint_.host.find(':') == std::string::npos ? endpoint_.host : "[" + endpoint_.host + "]";
    Client client(Clock::now() + options_.timeout);
    sent = client.connect_to(endpoint_) &&
           client.write("POST " + endpoint_.path + " HTTP/1.1\r\nHost: " + host + ":" +
                        std::to_string(endpoint_.port) +
                        "\r\nContent-Type: application/json\r\nConnection: close\r\n"
                        "Content-Length: " +
                        std::to_string(body.size()) + "\r\n\r\n") &&
           client.write(body) && is_success(client.read_line());
  } catch (const std::exception&) {
    sent = false;  // out of memory: counted below like any other loss
  }
  (sent ? exported_ : dropped_) += spans.size();
}

}  // namespace quire::server
