#include "eval/roofline.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <numeric>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "base/cpus.h"
#include "kernels/isa.h"
#include "kernels/roofline.h"

namespace quire {
namespace {

constexpr std::int64_t kPeakRounds = 4'000'000;
constexpr std::size_t kReadBytes = std::size_t{512} << 20U;
constexpr int kRepeats = 3;

// Seconds until all threads have run the body, the best of some repeats: a limit, not an average.
double best_seconds(int num_threads, const std::function<void(int)>& body) {
  double best = 1e9;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> threads;
    threads.reserve(static_cast<std::size_t>(num_threads));
    for (int i = 0; i < num_threads; ++i) threads.emplace_back(body, i);
    for (std::thread& thread : threads) thread.join();
    best = std::min(
        best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

double read_bandwidth(int num_threads) {
  const std::vector<std::uint64_t> buffer(kReadBytes / sizeof(std::uint64_t), 1);
  const std::size_t share = buffer.size() / static_cast<std::size_t>(num_threads);
  std::vector<std::uint64_t> sums(static_cast<std::size_t>(num_threads));
  const double seconds = best_seconds(num_threads, [&](int thread) {
    const auto part = std::span(buffer).subspan(static_cast<std::size_t>(thread) * share, share);
    sums[static_cast<std::size_t>(thread)] =
        std::accumulate(part.begin(), part.end(), std::uint64_t{0});
  });
  // Uses the sums: a loop whose result nobody sees may be left out.
  const bool read_all = std::ranges::all_of(sums, [&](std::uint64_t sum) { return sum == share; });
  return read_all ? static_cast<double>(kReadBytes) / seconds / 1e9 : 0;
}

}  // namespace

Result<Roofline> measure_roofline(int num_threads) {
  QUIRE_ASSIGN(const kernels::Isa isa, kernels::choose_isa_from_environment());
  const int threads = choose_num_threads(num_threads);
  std::vector<kernels::PeakRun> runs(static_cast<std::size_t>(threads));
  const auto rate = [&](kernels::PeakRun (*loop)(kernels::Isa, std::int64_t)) {
    const double seconds = best_seconds(threads, [&](int thread) {
      runs[static_cast<std::size_t>(thread)] = loop(isa, kPeakRounds);
    });
    return static_cast<double>(runs.front().multiply_adds) * threads / seconds / 1e9;
  };
  Roofline roofline;
  roofline.int8_gmac_s = rate(kernels::run_int8_peak);
  roofline.fp32_gflop_s = 2 * rate(kernels::run_fp32_peak);
  roofline.read_gb_s = read_bandwidth(threads);
  return roofline;
}

ModelCost model_cost(const ModelPackage& package) {
  const double hidden = package.hidden_size;
  const double heads = static_cast<double>(package.num_heads) * package.head_dim;
  const double kv_heads = static_cast<double>(package.num_kv_heads) * package.head_dim;
  const double layer = hidden * (heads + 2 * kv_heads) + heads * hidden +
                       3 * hidden * static_cast<double>(package.intermediate_size);
  ModelCost cost;
  cost.macs_per_token = package.num_layers * layer + hidden * package.vocab_size;
  cost.quantized = package.quantization != "none";
  // The weights are in the graph's file or beside it; exporters differ in what they call that.
  for (const char* ending : {"", ".data", "_data"}) {
    std::filesystem::path file = package.model_file;
    file += ending;
    std::error_code error;
    const std::uintmax_t bytes = std::filesystem::file_size(file, error);
    if (!error) cost.bytes_per_token += static_cast<double>(bytes);
  }
  return cost;
}

}  // namespace quire
