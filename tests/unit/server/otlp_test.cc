#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "server/otlp_exporter.h"
#include "server/otlp_spans.h"

namespace quire::server {
namespace {

using nlohmann::json;

AccessRecord answered(const std::string& traceparent = {}) {
  AccessRecord record{.method = "POST", .path = "/v1/completions"};
  record.traceparent = traceparent;
  record.model = "m";
  record.status = 200;
  record.milliseconds = 100;
  record.prompts.push_back(
      {.timings = {.queued_ms = 10, .first_token_ms = 30, .total_ms = 90}, .ended_before_ms = 1});
  return record;
}

json parsed(const std::vector<std::string>& spans) {
  return json::parse(otlp_body(spans))["resourceSpans"][0]["scopeSpans"][0]["spans"];
}

std::uint64_t nanos(const json& span, const char* name) {
  return std::stoull(span[name].get<std::string>());
}

TEST(OtlpSpansTest, PhasesFollowOneAnotherInsideTheirRequest) {
  constexpr std::uint64_t kEnd = 1'700'000'000'000'000'000;
  const json spans = parsed(spans_of(answered(), kEnd));
  ASSERT_EQ(spans.size(), 4U);
  EXPECT_EQ(nanos(spans[0], "endTimeUnixNano"), kEnd);
  EXPECT_EQ(nanos(spans[0], "startTimeUnixNano"), kEnd - 100'000'000);
  const std::vector<std::string> names = {"POST /v1/completions", "queue", "prefill", "decode"};
  const std::vector<std::uint64_t> lengths = {100'000'000, 10'000'000, 20'000'000, 60'000'000};
  for (std::size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(spans[i]["name"], names[i]);
    EXPECT_EQ(spans[i]["traceId"], spans[0]["traceId"]);
    const std::uint64_t begin = nanos(spans[i], "startTimeUnixNano");
    EXPECT_EQ(nanos(spans[i], "endTimeUnixNano") - begin, lengths[i]) << names[i];
    if (i == 0) continue;
    EXPECT_EQ(spans[i]["parentSpanId"], spans[0]["spanId"]);
    const json& before = spans[i - 1];
    EXPECT_TRUE(i == 1 || spans[i]["startTimeUnixNano"] == before["endTimeUnixNano"]) << names[i];
  }
  EXPECT_EQ(nanos(spans[3], "endTimeUnixNano"), kEnd - 1'000'000);
  EXPECT_EQ(spans[0]["traceId"].get<std::string>().size(), 32U);
  EXPECT_EQ(spans[0]["spanId"].get<std::string>().size(), 16U);
  EXPECT_FALSE(spans[0].contains("parentSpanId"));
}

TEST(OtlpSpansTest, AResultOfTheEnginesToolIsAMomentOfItsRequest) {
  AccessRecord record = answered();
  record.prompts.at(0).tool_ms = {40, 75.5};
  constexpr std::uint64_t kEnd = 1'700'000'000'000'000'000;
  const json spans = parsed(spans_of(record, kEnd));
  ASSERT_EQ(spans.size(), 6U);
  for (const auto& [index, before_end] :
       std::vector<std::pair<std::size_t, std::uint64_t>>{{4, 60'000'000}, {5, 24'500'000}}) {
    EXPECT_EQ(spans[index]["name"], "execute_tool");
    EXPECT_EQ(spans[index]["parentSpanId"], spans[0]["spanId"]);
    EXPECT_EQ(nanos(spans[index], "startTimeUnixNano"), kEnd - before_end);
    EXPECT_EQ(spans[index]["endTimeUnixNano"], spans[index]["startTimeUnixNano"]);
  }
}

TEST(OtlpSpansTest, ATraceOfTheClientsIsGoneOnWithUnlessItIsNotSampled) {
  const std::string trace = "0af7651916cd43dd8448eb211c80319c";
  const json spans =
      parsed(spans_of(answered("00-" + trace + "-b7ad6b7169203331-01"), 1'000'000'000));
  EXPECT_EQ(spans[0]["traceId"], trace);
  EXPECT_EQ(spans[0]["parentSpanId"], "b7ad6b7169203331");
  EXPECT_TRUE(spans_of(answered("00-" + trace + "-b7ad6b7169203331-00"), 1'000'000'000).empty());
}

TEST(OtlpSpansTest, WhatAskedNoModelIsNotTracedAndWhatFailedSaysSo) {
  AccessRecord record = answered();
  record.status = 500;
  record.prompts.clear();
  EXPECT_EQ(parsed(spans_of(record, 1'000'000'000))[0]["status"]["code"], 2);
  record.model.clear();
  EXPECT_TRUE(spans_of(record, 1'000'000'000).empty());
}

TEST(OtlpEndpointTest, OnlyAnAddressOfHttpIsOne) {
  const auto plain = parse_otlp_endpoint("http://localhost");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->host + plain->path, "127.0.0.1/v1/traces");
  EXPECT_EQ(plain->port, 4318);
  const auto v6 = parse_otlp_endpoint("http://[::1]:9/x");
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->host + v6->path, "::1/x");
  EXPECT_EQ(v6->port, 9);
  for (const char* wrong : {"",
                            "localhost",
                            "https://127.0.0.1",
                            "http://name",
                            "http://",
                            "http://127.0.0.1:0",
                            "http://127.0.0.1:99999",
                            "http://127.0.0.1:x",
                            "http://127.0.0.1/a b"}) {
    EXPECT_FALSE(parse_otlp_endpoint(wrong)) << wrong;
  }
}

// Listens on a port, and answers one POST with a status.
class Collector {
 public:
  Collector() : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const plain = static_cast<sockaddr*>(static_cast<void*>(&address));
    EXPECT_EQ(bind(socket_, plain, sizeof address), 0);
    EXPECT_EQ(listen(socket_, 4), 0);
    socklen_t size = sizeof address;
    EXPECT_EQ(getsockname(socket_, plain, &size), 0);
    endpoint_ = {.host = "127.0.0.1", .port = ntohs(address.sin_port)};
  }
  ~Collector() { close(socket_); }
  const OtlpEndpoint& endpoint() const { return endpoint_; }

  std::string answer_one(const std::string& status) const {
    const int client = accept(socket_, nullptr, nullptr);
    std::string text;
    char piece[4096];
    while (!text.ends_with("]}]}]}")) {
      const ssize_t got = recv(client, piece, sizeof piece, 0);
      if (got <= 0) break;
      text.append(piece, static_cast<std::size_t>(got));
    }
    const std::string answer = "HTTP/1.1 " + status + "\r\nContent-Length: 0\r\n\r\n";
    EXPECT_GT(send(client, answer.data(), answer.size(), MSG_NOSIGNAL), 0);
    close(client);
    return text;
  }

 private:
  int socket_;
  OtlpEndpoint endpoint_;
};

TEST(OtlpExporterTest, WhatWaitsGoesOutInOnePostAndIsCountedByItsAnswer) {
  for (const bool taken : {true, false}) {
    const Collector collector;
    OtlpExporter exporter(collector.endpoint(), {.batch = 3});
    exporter.add({R"({"name":"a"})", R"({"name":"b"})"});
    exporter.add({R"({"name":"c"})"});
    const std::string post = collector.answer_one(taken ? "200 OK" : "503 Busy");
    const json spans = json::parse(
        post.substr(post.find("\r\n\r\n") + 4))["resourceSpans"][0]["scopeSpans"][0]["spans"];
    EXPECT_EQ(spans.size(), 3U);
    while (exporter.num_exported() + exporter.num_dropped() == 0) std::this_thread::yield();
    EXPECT_EQ(exporter.num_exported(), taken ? 3U : 0U);
    EXPECT_EQ(exporter.num_dropped(), taken ? 0U : 3U);
  }
}

TEST(OtlpExporterTest, WithoutACollectorSpansAreDroppedAndNobodyWaits) {
  OtlpEndpoint nobody;
  {
    const Collector gone;
    nobody = gone.endpoint();
  }
  OtlpExporter exporter(nobody, {.max_waiting = 5, .batch = 4});
  exporter.add(std::vector<std::string>(6, "{}"));  // more than may wait
  EXPECT_EQ(exporter.num_dropped(), 6U);
  exporter.add(std::vector<std::string>(4, "{}"));
  while (exporter.num_dropped() < 10) std::this_thread::yield();
  EXPECT_EQ(exporter.num_exported(), 0U);
}

}  // namespace
}  // namespace quire::server
