#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "quire/output.h"

namespace quire::server {

// Counts of durations in buckets, as Prometheus has them.
class Histogram {
 public:
  void observe(double seconds);
  // The lines of `name`; `labels` without braces.
  void write(std::string_view name, const std::string& labels, std::string* out) const;

 private:
  static constexpr std::array<double, 16> kBounds = {
      0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300};
  std::array<std::uint64_t, kBounds.size() + 1> counts_{};  // not yet added up
  double sum_ = 0;
};

// What a model has done, from the view of those who asked.
struct ModelMetrics {
  Histogram time_to_first_token;
  Histogram inter_token_latency;
  Histogram request_latency;
  Histogram queue_time;
  std::map<std::string, std::uint64_t> successes;  // by finish reason
  std::uint64_t prompt_tokens = 0;
  std::uint64_t generation_tokens = 0;

  void count_output(const RequestOutput& output);
};

// All that /metrics shows beside the engines' own numbers. On the I/O thread.
struct Metrics {
  std::map<std::string, ModelMetrics> models;
  std::map<int, std::uint64_t> responses;           // by status
  std::map<std::string, std::uint64_t> rejections;  // by reason
  std::uint64_t clients_gone = 0;
  std::uint64_t clients_too_slow = 0;
  std::uint64_t trace_spans_exported = 0;
  std::uint64_t trace_spans_dropped = 0;
};

// The page of Prometheus, with vLLM's names. `engines`: by model, their block size and numbers.
struct EngineView {
  int block_size = 0;
  EngineStats stats;
};
std::string metrics_page(const Metrics& metrics, const std::map<std::string, EngineView>& engines);

}  // namespace quire::server
