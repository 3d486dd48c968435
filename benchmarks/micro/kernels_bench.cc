// Speed of the compute kernels at the shapes of SmolLM2-135M, on one thread.
// The instruction set is the best one, or what QUIRE_ISA names.
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <random>
#include <span>
#include <vector>

#include "kernels/attention.h"
#include "kernels/elementwise.h"
#include "kernels/linear.h"

namespace quire::kernels {
namespace {

// The kernels' context for one thread. Ends the program when QUIRE_ISA is no good.
struct Bench {
  SerialExecutor executor;
  Workspace workspace;

  KernelContext context() {
    const Result<Isa> isa = choose_isa_from_environment();
    if (!isa) {
      std::fprintf(stderr, "%s\n", isa.error().message().c_str());
      std::exit(2);
    }
    return {*isa, executor, workspace};
  }
};

void require(benchmark::State& state, const Status& status) {
  if (!status.ok()) state.SkipWithError(status.message().c_str());
}

std::vector<float> normals(std::int64_t count) {
  std::mt19937 engine(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = normal(engine);
  return values;
}

PackedLinear random_weights(std::int64_t k, std::int64_t n, std::int64_t bits) {
  const std::int64_t blocks = n * ((k + kQuantBlock - 1) / kQuantBlock);
  const bool quantized = bits <= 8;
  const auto bytes = quantized ? blocks * kQuantBlock * bits / 8 : n * k * bits / 8;
  std::vector<std::byte> weight(static_cast<std::size_t>(bytes), std::byte{0x1d});
  const std::vector<std::uint16_t> halves(quantized ? static_cast<std::size_t>(blocks) : 0, 0x1c00);
  const WeightType type = bits == 4    ? WeightType::kInt4
                          : bits == 8  ? WeightType::kInt8
                          : bits == 16 ? WeightType::kBfloat16
                                       : WeightType::kFloat32;
  const std::span<const std::uint16_t> min =
      bits == 4 ? std::span(halves) : std::span<const std::uint16_t>();
  return *PackedLinear::pack({k, n, type, weight, halves, min}, {});
}

// Rows, K, N, bits of weights and of activations. Enough copies of the weights that they come from
// beyond the near caches, as they do in a model.
void linear_layer(benchmark::State& state) {
  Bench bench;
  const KernelContext context = bench.context();
  const std::int64_t rows = state.range(0);
  const std::int64_t k = state.range(1);
  const std::int64_t n = state.range(2);
  const ActivationBits activation_bits =
      state.range(4) == 8 ? ActivationBits::k8 : ActivationBits::k16;
  std::vector<PackedLinear> copies;
  std::size_t bytes = 0;
  while (bytes < 64'000'000) {
    copies.push_back(random_weights(k, n, state.range(3)));
    bytes += copies.back().memory_bytes();
  }
  const std::vector<float> x = normals(rows * k);
  std::vector<float> y(static_cast<std::size_t>(rows * n));
  std::size_t next = 0;
  for (auto _ : state) {
    require(state, linear(context, copies[next], activation_bits, x, y));
    next = (next + 1) % copies.size();
    benchmark::DoNotOptimize(y.data());
  }
  const auto runs = static_cast<double>(state.iterations());
  state.counters["GMAC/s"] = benchmark::Counter(runs * static_cast<double>(rows * k * n) * 1e-9,
                                                benchmark::Counter::kIsRate);
  state.counters["GB/s"] = benchmark::Counter(
      runs * static_cast<double>(copies[0].memory_bytes()) * 1e-9, benchmark::Counter::kIsRate);
}

void linear_shapes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"rows", "k", "n", "bits", "activations"});
  for (const std::int64_t rows : {1, 4, 8, 32, 128}) {
    for (const std::int64_t activations : {8, 16}) {
      for (const std::int64_t bits : {4, 8}) {
        bench->Args({rows, 576, 3072, bits, activations});
        bench->Args({rows, 576, 960, bits, activations});
        bench->Args({rows, 576, 576, bits, activations});
        bench->Args({rows, 1536, 576, bits, activations});
      }
      bench->Args({rows, 576, 49152, 8, activations});
    }
    bench->Args({rows, 576, 3072, 16, 16});
    bench->Args({rows, 576, 3072, 32, 16});
  }
}
BENCHMARK(linear_layer)->Apply(linear_shapes)->Unit(benchmark::kMicrosecond);

// Sequences, keys before the step, tokens of the step, 0, 1, 2 for a float32, float16, bfloat16
// cache.
void attention_layer(benchmark::State& state) {
  Bench bench;
  const KernelContext context = bench.context();
  const std::int64_t sequences = state.range(0);
  const std::int64_t past = state.range(1);
  const std::int64_t count = state.range(2);
  AttentionParams params;
  params.num_heads = 9;
  params.kv_num_heads = 3;
  params.head_dim = 64;
  params.dtype = static_cast<KvDtype>(state.range(3));
  params.do_rotary = true;
  const std::int64_t blocks = (past + count + 15) / 16;
  const std::int64_t bytes = *block_bytes(3, 64, 16, params.dtype);
  std::vector<std::uint8_t> key(static_cast<std::size_t>(sequences * blocks * bytes));
  std::vector<std::uint8_t> value(key.size());
  std::vector<std::int32_t> table(static_cast<std::size_t>(sequences * blocks));
  std::iota(table.begin(), table.end(), 0);
  std::vector<std::int32_t> cumulative = {0};
  for (std::int64_t s = 1; s <= sequences; ++s) {
    cumulative.push_back(static_cast<std::int32_t>(s * count));
  }
  const std::vector<std::int32_t> pasts(static_cast<std::size_t>(sequences),
                                        static_cast<std::int32_t>(past));
  const std::vector<float> qkv = normals(sequences * count * 960);
  const std::vector<float> angles(static_cast<std::size_t>((past + count) * 32), 0.7F);
  std::vector<float> out(static_cast<std::size_t>(sequences * count * 576));
  AttentionInputs inputs;
  inputs.num_tokens = sequences * count;
  inputs.query = {qkv.data(), 960};
  inputs.key = {qkv.data() + 576, 960};
  inputs.value = {qkv.data() + 768, 960};
  inputs.key_cache = key.data();
  inputs.value_cache = value.data();
  inputs.num_blocks = sequences * blocks;
  inputs.cumulative_lengths = cumulative;
  inputs.past_lengths = pasts;
  inputs.block_table = table;
  inputs.cos = angles;
  inputs.sin = angles;
  inputs.rotary_half = 32;
  for (auto _ : state) {
    require(state, paged_attention(context, params, inputs, out));
    benchmark::DoNotOptimize(out.data());
  }
  double keys = 0;
  for (std::int64_t t = 0; t < count; ++t) keys += static_cast<double>(past + t + 1);
  state.counters["GMAC/s"] = benchmark::Counter(
      static_cast<double>(state.iterations() * sequences) * keys * 9 * 128 * 1e-9,
      benchmark::Counter::kIsRate);
}
BENCHMARK(attention_layer)
    ->ArgNames({"sequences", "past", "tokens", "dtype"})
    ->ArgsProduct({{1, 32}, {128, 1024}, {1}, {0, 1, 2}})
    ->ArgsProduct({{1}, {0}, {128, 512}, {0, 1, 2}})
    ->Unit(benchmark::kMicrosecond);

void rms_norm_rows(benchmark::State& state) {
  Bench bench;
  const KernelContext context = bench.context();
  const std::vector<float> x = normals(32 * 576);
  std::vector<float> y(x.size());
  for (auto _ : state) {
    require(state, rms_norm(context, x, std::span(x).first(576), 1e-5F, y));
    benchmark::DoNotOptimize(y.data());
  }
}
BENCHMARK(rms_norm_rows)->Unit(benchmark::kMicrosecond);

void gated_rows(benchmark::State& state) {
  Bench bench;
  const KernelContext context = bench.context();
  const std::vector<float> x = normals(32 * 3072);
  std::vector<float> y(x.size() / 2);
  const ActivationParams params = {.kind = ActivationKind::kSilu, .gated = true};
  for (auto _ : state) {
    require(state, activate(context, params, x, 1536, y));
    benchmark::DoNotOptimize(y.data());
  }
}
BENCHMARK(gated_rows)->Unit(benchmark::kMicrosecond);

// What the executor makes of a norm, the product with [gate, up] and their joining.
void fused_gated_linear(benchmark::State& state) {
  Bench bench;
  const KernelContext context = bench.context();
  const std::int64_t rows = state.range(0);
  const PackedLinear weights = random_weights(576, 3072, 4);
  const ActivationKind silu = ActivationKind::kSilu;
  const std::vector<float> x = normals(rows * 576);
  const std::vector<float> norm = normals(576);
  std::vector<float> y(static_cast<std::size_t>(rows * 1536));
  const LinearTarget target = {.weights = &weights,
                               .activation_bits = ActivationBits::k16,
                               .y = y,
                               .residual = {},
                               .gate = &silu};
  for (auto _ : state) {
    require(state, linear_group(context, {x, norm, 1e-5F}, std::span(&target, 1)));
    benchmark::DoNotOptimize(y.data());
  }
}
BENCHMARK(fused_gated_linear)->ArgName("rows")->Arg(1)->Arg(32)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace quire::kernels

BENCHMARK_MAIN();
