#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "kernels/executor.h"
#include "kernels/isa.h"
#include "kernels/kernel_context.h"

namespace quire::kernels {

// Each body on a thread of its own, started in reverse: the least orderly executor there is.
class ThreadedExecutor final : public Executor {
 public:
  explicit ThreadedExecutor(int num_threads) : num_threads_(num_threads) {}

  int num_threads() const override { return num_threads_; }
  void parallel_for(std::int64_t n, FunctionRef<void(std::int64_t)> body) override {
    std::vector<std::thread> threads;
    for (std::int64_t i = n - 1; i >= 0; --i) threads.emplace_back([body, i] { body(i); });
    for (std::thread& thread : threads) thread.join();
  }

 private:
  int num_threads_;
};

inline std::vector<Isa> supported_isas() {
  std::vector<Isa> isas;
  for (const Isa isa : {Isa::kPortable,
                        Isa::kAvx2,
                        Isa::kAvx512Vnni,
                        Isa::kAmx,
                        Isa::kNeon,
                        Isa::kNeonDotProd,
                        Isa::kNeonI8mm,
                        Isa::kSimd128}) {
    if (isa_supported(isa)) isas.push_back(isa);
  }
  return isas;
}

inline std::string isa_test_name(const testing::TestParamInfo<Isa>& isa) {
  return std::string(isa_name(isa.param));
}

class Random {
 public:
  explicit Random(std::uint32_t seed) : engine_(seed) {}

  std::int64_t integer(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(engine_);
  }
  float normal() { return std::normal_distribution<float>()(engine_); }
  std::vector<float> normals(std::int64_t count, float scale = 1.0F) {
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) value = scale * normal();
    return values;
  }

 private:
  std::mt19937 engine_;
};

// Equality of bits, so that NaN equals itself and -0 is not +0.
inline bool same_bits(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return false;
  return a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

// The largest |a - b|; huge when sizes differ or either has a NaN.
inline double max_difference(std::span<const float> a, std::span<const double> b) {
  if (a.size() != b.size()) return 1e30;
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - b[i]);
    if (!(difference <= most)) most = std::isnan(difference) ? 1e30 : difference;
  }
  return most;
}

// The half-precision number nearest to `value`, which must be normal or zero.
inline std::uint16_t to_half(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  const std::uint32_t sign = bits >> 16 & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  if (magnitude < 0x38800000U) return static_cast<std::uint16_t>(sign);
  const std::uint32_t rounded = magnitude + 0xfffU + (magnitude >> 13 & 1U);
  return static_cast<std::uint16_t>(sign | (rounded - 0x38000000U) >> 13);
}

}  // namespace quire::kernels
