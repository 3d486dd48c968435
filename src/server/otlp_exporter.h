#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "quire/result.h"

namespace quire::server {

// Where a collector listens: an address, as literal as --host is.
struct OtlpEndpoint {
  std::string host;
  int port = 4318;
  std::string path = "/v1/traces";
};

// http://ADDRESS[:PORT][/PATH]; fails on everything else.
Result<OtlpEndpoint> parse_otlp_endpoint(const std::string& url);

struct OtlpOptions {
  std::size_t max_waiting = 4096;  // spans; more are dropped
  std::size_t batch = 512;         // spans a POST at most
  std::chrono::milliseconds interval{1000};
  std::chrono::milliseconds timeout{5000};  // of a POST
};

// Sends spans to a collector, one POST a batch, on a thread of its own: a collector that is slow or
// away costs the server nothing but the spans, which are dropped and counted. Any thread.
class OtlpExporter {
 public:
  explicit OtlpExporter(OtlpEndpoint endpoint, const OtlpOptions& options = {});
  ~OtlpExporter();  // sends what waits, once
  OtlpExporter(const OtlpExporter&) = delete;
  OtlpExporter& operator=(const OtlpExporter&) = delete;

  void add(std::vector<std::string> spans);
  std::uint64_t num_exported() const { return exported_.load(); }
  std::uint64_t num_dropped() const { return dropped_.load(); }

 private:
  void run();
  void send(const std::vector<std::string>& spans);

  OtlpEndpoint endpoint_;
  OtlpOptions options_;
  std::atomic<std::uint64_t> exported_ = 0;
  std::atomic<std::uint64_t> dropped_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace quire::server
