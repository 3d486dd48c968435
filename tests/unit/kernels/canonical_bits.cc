#include "unit/kernels/canonical_bits.h"

#include <span>
#include <vector>

#include "kernels/linear.h"
#include "unit/kernels/attention_test_util.h"

namespace quire::kernels {
namespace {

// Values that no library takes part in making.
class Numbers {
 public:
  std::uint32_t bits() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::uint32_t>(state_ >> 33U);
  }
  // In [-1, 1), a multiple of 2^-15.
  float unit() { return static_cast<float>(static_cast<int>(bits() % 65536U) - 32768) / 32768.0F; }
  std::vector<float> units(std::int64_t count) {
    std::vector<float> values(to_size(count));
    for (float& value : values) value = unit();
    return values;
  }

 private:
  std::uint64_t state_ = 1;
};

class Hash {
 public:
  void add(std::span<const float> values) {
    for (const std::byte byte : std::as_bytes(values)) {
      value_ = (value_ ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3U;
    }
  }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325U;
};

constexpr std::int64_t kK = 100;  // three blocks of 32 and a rest
constexpr std::int64_t kN = 40;   // two column tiles and a rest
constexpr std::int64_t kRows = 11;

struct Weights {
  std::vector<std::byte> weight;
  std::vector<std::uint16_t> scale, min;
};

Weights make_weights(Numbers& numbers, WeightType type, bool has_min) {
  Weights made;
  const std::int64_t blocks = kN * ((kK + kQuantBlock - 1) / kQuantBlock);
  if (type == WeightType::kInt4 || type == WeightType::kInt8) {
    made.weight.resize(to_size(blocks * (type == WeightType::kInt4 ? 16 : 32)));
    for (std::byte& byte : made.weight) byte = static_cast<std::byte>(numbers.bits());
    for (std::int64_t i = 0; i < blocks; ++i) {
      made.scale.push_back(to_half(0.05F * numbers.unit()));
      if (has_min) made.min.push_back(to_half(0.3F * numbers.unit()));
    }
    return made;
  }
  for (std::int64_t i = 0; i < kN * kK; ++i) {
    const float value = numbers.unit();
    std::uint32_t bits;
    std::memcpy(&bits, &value, 4);
    std::uint32_t stored = bits;
    if (type == WeightType::kFloat16) stored = to_half(value);
    if (type == WeightType::kBfloat16) stored = bits >> 16U;
    const auto* from = reinterpret_cast<const std::byte*>(&stored);
    made.weight.insert(made.weight.end(), from, from + (type == WeightType::kFloat32 ? 4 : 2));
  }
  return made;
}

// What linear() does, with these inner loops.
std::vector<float> run_linear(const KernelTable& table,
                              const PackedLinear& packed,
                              ActivationBits bits,
                              std::span<const float> x) {
  std::vector<float> y(to_size(kRows * kN));
  const std::int64_t panels = (kRows + table.panel_rows - 1) / table.panel_rows;
  const std::int64_t blocks = (kK + kQuantBlock - 1) / kQuantBlock;
  AlignedBuffer memory(to_size(panels * blocks * table.panel_bytes[static_cast<int>(bits)]));
  LinearCall call;
  call.kind = packed.kind();
  call.activation_bits = bits;
  call.k = kK;
  call.n = kN;
  call.weights = packed.tiles();
  call.tile_bytes = packed.tile_bytes();
  call.bias = packed.bias();
  call.x = x.data();
  call.rows = kRows;
  call.panels = reinterpret_cast<std::uint8_t*>(memory.data());
  call.y = y.data();
  for (std::int64_t panel = 0; panel < panels && packed.is_quantized(); ++panel) {
    table.quantize_panel(call, panel);
  }
  table.linear(call, 0, packed.num_tiles(), 0, panels);
  return y;
}

std::vector<float> run_activation(const KernelTable& table, ActivationKind kind, bool gated) {
  Numbers numbers;
  std::vector<float> x = numbers.units(kRows * 2 * kK);
  for (float& value : x) value *= 12.0F;
  std::vector<float> y(to_size(kRows * kK));
  ActivationCall call;
  call.kind = kind;
  call.gated = gated;
  call.x = x.data();
  call.y = y.data();
  call.width = kK;
  call.x_stride = 2 * kK;
  call.up_offset = kK;
  call.y_stride = kK;
  call.cap = 5.0F;
  table.activate(call, 0, kRows);
  return y;
}

}  // namespace

std::uint64_t linear_bits(const KernelTable& table) {
  Numbers numbers;
  Hash hash;
  const std::vector<float> x = numbers.units(kRows * kK);
  const std::vector<float> bias = numbers.units(kN);
  for (const WeightType type : {WeightType::kInt4,
                                WeightType::kInt8,
                                WeightType::kFloat16,
                                WeightType::kBfloat16,
                                WeightType::kFloat32}) {
    for (const bool has_min : {false, true}) {
      if (has_min && type >= WeightType::kFloat16) continue;
      const Weights w = make_weights(numbers, type, has_min);
      const auto packed = PackedLinear::pack({kK, kN, type, w.weight, w.scale, w.min}, bias);
      EXPECT_TRUE(packed);
      for (const ActivationBits bits : {ActivationBits::k8, ActivationBits::k16}) {
        hash.add(run_linear(table, *packed, bits, x));
      }
    }
  }
  return hash.value();
}

std::uint64_t elementwise_bits(const KernelTable& table) {
  Numbers numbers;
  Hash hash;
  const std::vector<float> x = numbers.units(kRows * kK);
  const std::vector<float> weight = numbers.units(kK);
  const std::vector<float> bias = numbers.units(kK);
  std::vector<float> y(x.size());
  table.rms_norm({x.data(), weight.data(), y.data(), kK, 1e-5F}, 0, kRows);
  hash.add(y);
  table.layer_norm({x.data(), weight.data(), bias.data(), y.data(), kK, 1e-5F}, 0, kRows);
  hash.add(y);
  for (const ActivationKind kind : {ActivationKind::kSilu,
                                    ActivationKind::kGelu,
                                    ActivationKind::kGeluTanh,
                                    ActivationKind::kRelu,
                                    ActivationKind::kReluSquared,
                                    ActivationKind::kSigmoid,
                                    ActivationKind::kTanh,
                                    ActivationKind::kSoftCap}) {
    for (const bool gated : {false, true}) hash.add(run_activation(table, kind, gated));
  }
  return hash.value();
}

std::uint64_t attention_bits(Isa isa) {
  Hash hash;
  for (const KvDtype dtype :
       {KvDtype::kFloat32, KvDtype::kFloat16, KvDtype::kBfloat16, KvDtype::kInt8}) {
    Numbers numbers;
    Model model;
    model.params.kv_num_heads = 2;
    model.params.num_heads = 6;
    model.params.head_dim = 40;
    model.params.block_size = 32;
    model.params.dtype = dtype;
    model.params.softcap = dtype == KvDtype::kFloat32 ? 5.0F : 0.0F;
    model.params.local_window_size = dtype == KvDtype::kBfloat16 ? 33 : -1;
    model.params.do_rotary = true;
    model.rotary_half = 16;
    model.cos = numbers.units(kPositions * model.rotary_half);
    model.sin = numbers.units(kPositions * model.rotary_half);
    model.sink = numbers.units(model.params.num_heads);
    // More than one chunk of 512 keys.
    constexpr std::int64_t kLength = 530;
    const Sequence sequence{kLength,
                            numbers.units(kLength * model.query_width()),
                            numbers.units(kLength * model.kv_width()),
                            numbers.units(kLength * model.kv_width())};
    Cache cache(model, 20, 1);
    const std::vector<std::int32_t> blocks = cache.take(kLength);
    Step step = make_step(model, {{&sequence, 0, kLength, blocks}}, true);
    cache.bind(step.inputs);
    std::vector<float> out(to_size(kLength * model.query_width()));
    ThreadedExecutor executor(1);
    Workspace workspace;
    const Status status =
        paged_attention({isa, executor, workspace}, model.params, step.inputs, out);
    EXPECT_TRUE(status.ok()) << status.message();
    hash.add(out);
  }
  return hash.value();
}

}  // namespace quire::kernels
