#include "server/http_server.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

namespace quire::server {
namespace {

using std::chrono::milliseconds;

// A server on a thread of its own, with limits short enough to be met in a test.
class RunningHttp {
 public:
  RunningHttp(const HttpLimits& limits, HttpHandler handler) : server_(limits, std::move(handler)) {
    const auto port = server_.listen("127.0.0.1", 0);
    EXPECT_TRUE(port) << port.error().message();
    port_ = port ? *port : 0;
    thread_ = std::thread([this] { server_.run(); });
  }
  ~RunningHttp() {
    server_.stop();
    thread_.join();
  }
  HttpServer& server() { return server_; }
  int port() const { return port_; }

 private:
  HttpServer server_;
  int port_ = 0;
  std::thread thread_;
};

class Client {
 public:
  explicit Client(int port) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto* plain = static_cast<const sockaddr*>(static_cast<const void*>(&address));
    EXPECT_EQ(connect(socket_, plain, sizeof address), 0);
  }
  ~Client() { close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(const std::string& data) const {
    EXPECT_EQ(::send(socket_, data.data(), data.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(data.size()));
  }
  // Everything up to `mark`, or to the end of the connection.
  std::string read_to(const std::string& mark) const {
    std::string text;
    char piece[4096];
    while (mark.empty() || text.find(mark) == std::string::npos) {
      const ssize_t got = recv(socket_, piece, sizeof piece, 0);
      if (got <= 0) break;
      text.append(piece, static_cast<std::size_t>(got));
    }
    return text;
  }

 private:
  int socket_;
};

const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

void say_ok(HttpRequest request, std::shared_ptr<Exchange> exchange) {
  exchange->respond({.body = request.method + request.path + request.body});
}

TEST(HttpServerTest, RequestsOfOneConnectionAreAnsweredInTheirOrder) {
  RunningHttp http({}, say_ok);
  const Client client(http.port());
  client.send("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab" + kGet +
              "HEAD /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const std::string all = client.read_to("");
  const std::size_t first = all.find("POST/1ab");
  ASSERT_NE(first, std::string::npos) << all;
  EXPECT_NE(all.find("GET/", first), std::string::npos);
  EXPECT_TRUE(all.ends_with("Connection: close\r\n\r\n")) << all;  // a HEAD has no body
}

TEST(HttpServerTest, AHeadThatComesTooSlowlyIsA408) {
  RunningHttp http({.header_time = milliseconds(40)}, say_ok);
  const Client client(http.port());
  client.send("GET / HTTP/1.1\r\nHos");
  EXPECT_TRUE(client.read_to("").starts_with("HTTP/1.1 408 "));
}

TEST(HttpServerTest, ABodyThatComesTooSlowlyIsA408) {
  RunningHttp http({.body_window = milliseconds(40)}, say_ok);
  const Client client(http.port());
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nab");
  EXPECT_TRUE(client.read_to("").starts_with("HTTP/1.1 408 "));
}

TEST(HttpServerTest, AnIdleConnectionIsClosedInTheEnd) {
  RunningHttp http({.keep_alive_time = milliseconds(40)}, say_ok);
  const Client client(http.port());
  client.send(kGet);
  EXPECT_TRUE(client.read_to("").ends_with("GET/"));
}

TEST(HttpServerTest, TooManyChunksAreA400) {
  RunningHttp http({.body_chunks = 3}, say_ok);
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  const Client within(http.port());
  within.send(head + "1\r\na\r\n1\r\nb\r\n0\r\n\r\n");
  EXPECT_NE(within.read_to("POST/ab").find("200 OK"), std::string::npos);
  const Client over(http.port());
  over.send(head + "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n");
  EXPECT_TRUE(over.read_to("").starts_with("HTTP/1.1 400 "));
}

TEST(HttpServerTest, AConnectionTooManyIsA503AndTheOthersGoOn) {
  RunningHttp http({.connections = 1}, say_ok);
  const Client first(http.port());
  first.send(kGet);
  EXPECT_NE(first.read_to("GET/").find("200 OK"), std::string::npos);
  const Client second(http.port());
  EXPECT_TRUE(second.read_to("").starts_with("HTTP/1.1 503 "));
  first.send(kGet);
  EXPECT_NE(first.read_to("GET/").find("200 OK"), std::string::npos);
}

TEST(HttpServerTest, ASilentStreamGetsComments) {
  std::shared_ptr<Exchange> kept;
  RunningHttp http({.silence = milliseconds(30)},
                   [&kept](HttpRequest, std::shared_ptr<Exchange> exchange) {
                     exchange->start_stream({});
                     kept = std::move(exchange);
                   });
  const Client client(http.port());
  client.send(kGet);
  EXPECT_NE(client.read_to(": keep-alive\n\n").find(": keep-alive"), std::string::npos);
  http.server().post([&kept] { std::exchange(kept, nullptr)->finish(); });
  EXPECT_TRUE(client.read_to("0\r\n\r\n").ends_with("0\r\n\r\n"));
}

TEST(HttpServerTest, AClientThatLeavesIsNoticedAlsoBehindAnotherRequest) {
  for (const std::string& behind : {std::string(), kGet}) {
    std::promise<GoneReason> gone;
    std::shared_ptr<Exchange> kept;
    RunningHttp http({}, [&](HttpRequest, std::shared_ptr<Exchange> exchange) {
      exchange->start_stream({});
      exchange->on_gone([&gone](GoneReason reason) { gone.set_value(reason); });
      kept = std::move(exchange);
    });
    {
      const Client client(http.port());
      client.send(kGet);
      EXPECT_NE(client.read_to("\r\n\r\n"), "");
      client.send(behind);
    }
    EXPECT_EQ(gone.get_future().get(), GoneReason::kLeft);
  }
}

TEST(HttpServerTest, ADrainWaitsForTheAnswerThatIsOnItsWay) {
  std::promise<void> asked;
  std::promise<void> drained;
  std::shared_ptr<Exchange> kept;
  RunningHttp http({}, [&](HttpRequest, std::shared_ptr<Exchange> exchange) {
    kept = std::move(exchange);
    asked.set_value();
  });
  const Client idle(http.port());
  const Client client(http.port());
  client.send(kGet);
  asked.get_future().wait();
  http.server().post([&] {
    http.server().drain([&drained] { drained.set_value(); });
    http.server().post([&kept] { std::exchange(kept, nullptr)->respond({.body = "late"}); });
  });
  EXPECT_TRUE(client.read_to("").ends_with("late"));
  EXPECT_EQ(idle.read_to(""), "");
  drained.get_future().wait();
}

}  // namespace
}  // namespace quire::server
