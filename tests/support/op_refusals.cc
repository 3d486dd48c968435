#include "support/op_refusals.h"

#include <cstring>
#include <functional>

namespace quire::test_support {
namespace {

using ops::ElementType;
using Edit = std::function<void(OpCase&)>;

OpInput rows(std::vector<std::int64_t> dims) { return {.dims = std::move(dims)}; }
OpInput left_out() { return {.present = false}; }
OpInput constant(ElementType type, std::vector<std::int64_t> dims) {
  return {.type = type, .dims = std::move(dims), .is_constant = true};
}
OpInput integers(ElementType type,
                 std::vector<std::int64_t> dims,
                 std::vector<std::int64_t> values) {
  return {.type = type, .dims = std::move(dims), .values = std::move(values)};
}

std::int64_t integer(std::int64_t value) { return value; }

// x [3, 64] times an 8-bit matrix [16, 64].
OpCase linear() {
  return {.name = "linear",
          .op = "Linear",
          .attributes = {{"K", integer(64)},
                         {"N", integer(16)},
                         {"bits", integer(8)},
                         {"activation_bits", integer(8)}},
          .inputs = {rows({3, 64}),
                     constant(ElementType::kInt8, {16, 2, 32}),
                     constant(ElementType::kFloat16, {16, 2}),
                     left_out(),
                     left_out()},
          .words = ""};
}

OpCase embedding() {
  return {.name = "embedding",
          .op = "Embedding",
          .attributes = {{"K", integer(8)}, {"N", integer(5)}, {"bits", integer(32)}},
          .inputs = {integers(ElementType::kInt64, {3}, {0, 4, 2}),
                     constant(ElementType::kFloat32, {5, 8}),
                     left_out(),
                     left_out()},
          .words = ""};
}

OpCase rms_norm() {
  return {.name = "rms norm",
          .op = "RMSNorm",
          .attributes = {{"epsilon", 1e-5F}},
          .inputs = {rows({3, 16}), constant(ElementType::kFloat32, {8})},
          .words = ""};
}

OpCase layer_norm() {
  return {.name = "layer norm",
          .op = "LayerNorm",
          .attributes = {{"epsilon", 1e-5F}},
          .inputs = {rows({3, 8}),
                     constant(ElementType::kFloat32, {8}),
                     constant(ElementType::kFloat32, {8})},
          .words = ""};
}

OpCase activation(const std::string& op) {
  return {.name = op,
          .op = op,
          .attributes = {{"kind", std::string("gelu")}},
          .inputs = {rows({3, 6})},
          .words = ""};
}

OpCase soft_cap() {
  return {.name = "soft cap",
          .op = "SoftCap",
          .attributes = {{"cap", 30.0F}},
          .inputs = {rows({3, 6})},
          .words = ""};
}

// Two sequences of 2 and 1 tokens, 2 query heads over 1 key head of 4.
OpCase attention() {
  return {.name = "attention",
          .op = "PagedAttention",
          .attributes = {{"num_heads", integer(2)},
                         {"kv_num_heads", integer(1)},
                         {"scale", 0.0F},
                         {"softcap", 0.0F},
                         {"local_window_size", integer(-1)},
                         {"do_rotary", integer(1)},
                         {"rotary_interleaved", integer(0)}},
          .inputs = {rows({3, 8}),
                     rows({3, 4}),
                     rows({3, 4}),
                     {.type = ElementType::kUint8, .dims = {kCaseBlocks, kCaseBlockBytes}},
                     {.type = ElementType::kUint8, .dims = {kCaseBlocks, kCaseBlockBytes}},
                     integers(ElementType::kInt32, {3}, {0, 2, 3}),
                     integers(ElementType::kInt32, {2}, {0, 5}),
                     integers(ElementType::kInt32, {2, 1}, {1, 3}),
                     rows({20, 2}),
                     rows({20, 2}),
                     left_out()},
          .words = ""};
}

class Collector {
 public:
  void add(OpCase good, const char* name, const Edit& edit, const char* words, bool torch = true) {
    edit(good);
    good.name += std::string(": ") + name;
    good.words = words;
    good.by_torch = torch;
    cases_.push_back(std::move(good));
  }
  std::vector<OpCase> take() { return std::move(cases_); }

 private:
  std::vector<OpCase> cases_;
};

void add_linear_cases(Collector* all) {
  const auto set = [](const char* name, ops::Attributes::Value value) {
    return [name, value](OpCase& c) { c.attributes[name] = value; };
  };
  const bool kNoTorch = false;
  all->add(linear(), "bits 5", set("bits", integer(5)), "bits must be 4, 8, 16 or 32", kNoTorch);
  all->add(linear(), "bits as a float", set("bits", 8.0F), "attribute bits is missing", kNoTorch);
  all->add(linear(), "K of another size", set("K", integer(96)), "weight (in bytes) has");
  all->add(linear(), "K of 0", set("K", integer(0)), "K and N must be 1 to 2^28");
  all->add(linear(), "N of another size", set("N", integer(17)), "weight (in bytes) has", kNoTorch);
  all->add(linear(), "huge N", set("N", integer(1) << 40), "K and N must be 1 to 2^28", kNoTorch);
  all->add(
      linear(), "blocks of 64", set("block_size", integer(64)), "block_size must be 32", kNoTorch);
  all->add(linear(),
           "activations of 12 bits",
           set("activation_bits", integer(12)),
           "activation_bits must be 8 or 16, not 12");
  all->add(linear(),
           "activation bits as a float",
           set("activation_bits", 8.0F),
           "activation_bits must be an integer",
           kNoTorch);
}

void add_linear_tensors(Collector* all) {
  all->add(
      linear(),
      "rows of another width",
      [](OpCase& c) { c.inputs[0] = rows({3, 63}); },
      "x must have a last dimension of 64");
  all->add(
      linear(),
      "rows of integers",
      [](OpCase& c) { c.inputs[0] = integers(ElementType::kInt32, {3, 64}, {}); },
      "x has element type int32 where float is wanted");
  all->add(
      linear(),
      "a scalar as rows",
      [](OpCase& c) { c.inputs[0] = rows({}); },
      "x must have a last dimension of 64");
  all->add(
      linear(), "no scale", [](OpCase& c) { c.inputs[2] = left_out(); }, "scale has 0 elements");
  all->add(
      linear(),
      "scales of another shape",
      [](OpCase& c) { c.inputs[2] = constant(ElementType::kFloat16, {16, 3}); },
      "scale has 48 elements");
  all->add(
      linear(),
      "scales in float32",
      [](OpCase& c) { c.inputs[2] = constant(ElementType::kFloat32, {16, 2}); },
      "element type float where float16 is wanted");
  all->add(
      linear(),
      "a weight of two dimensions",
      [](OpCase& c) { c.inputs[1] = constant(ElementType::kInt8, {16, 64}); },
      "where rank 3 is wanted");
  all->add(
      linear(),
      "a bias of another length",
      [](OpCase& c) { c.inputs[4] = constant(ElementType::kFloat32, {15}); },
      "bias has 15 elements");
  all->add(
      linear(),
      "an empty bias",
      [](OpCase& c) { c.inputs[4] = constant(ElementType::kFloat32, {0}); },
      "bias is empty");
}

void add_row_cases(Collector* all) {
  all->add(
      embedding(),
      "an id past the end",
      [](OpCase& c) { c.inputs[0].values = {0, 5, 1}; },
      "token id 5 is not in 0 ... 4");
  all->add(
      embedding(),
      "a negative id",
      [](OpCase& c) { c.inputs[0].values = {0, -1, 1}; },
      "token id -1 is not in 0 ... 4");
  all->add(
      embedding(),
      "ids of 32 bits",
      [](OpCase& c) { c.inputs[0] = integers(ElementType::kInt32, {3}, {0, 1, 2}); },
      "ids has element type int32 where int64 is wanted");
}

void add_norm_cases(Collector* all) {
  all->add(
      rms_norm(),
      "a negative epsilon",
      [](OpCase& c) { c.attributes["epsilon"] = -1.0F; },
      "epsilon must not be negative");
  all->add(
      rms_norm(),
      "rows that are no multiple",
      [](OpCase& c) { c.inputs[0] = rows({3, 15}); },
      "x must have a last dimension of a multiple of 8");
  all->add(
      rms_norm(),
      "an empty weight",
      [](OpCase& c) { c.inputs[1] = constant(ElementType::kFloat32, {0}); },
      "x must have a last dimension of a multiple of 0");
  all->add(
      rms_norm(),
      "a weight of two dimensions",
      [](OpCase& c) { c.inputs[1] = constant(ElementType::kFloat32, {1, 8}); },
      "weight has shape [1, 8] where rank 1 is wanted");
  all->add(
      layer_norm(),
      "a negative epsilon",
      [](OpCase& c) { c.attributes["epsilon"] = -1.0F; },
      "epsilon must not be negative");
  all->add(
      layer_norm(),
      "rows of another width",
      [](OpCase& c) { c.inputs[0] = rows({3, 16}); },
      "x must have a last dimension of 8");
  all->add(
      layer_norm(),
      "a bias of another length",
      [](OpCase& c) { c.inputs[2] = constant(ElementType::kFloat32, {7}); },
      "weight and bias must have one length");
}

void add_activation_cases(Collector* all) {
  for (const char* op : {"Activation", "GatedActivation"}) {
    all->add(
        activation(op),
        "an unknown kind",
        [](OpCase& c) { c.attributes["kind"] = std::string("swish9"); },
        "kind \"swish9\" is none of silu, gelu");
    all->add(
        activation(op),
        "rows of integers",
        [](OpCase& c) { c.inputs[0] = integers(ElementType::kInt64, {3, 6}, {}); },
        "x has element type int64 where float is wanted");
  }
  all->add(
      activation("GatedActivation"),
      "an odd width",
      [](OpCase& c) { c.inputs[0] = rows({3, 7}); },
      "x must have an even last dimension");
  all->add(
      soft_cap(),
      "a cap of 0",
      [](OpCase& c) { c.attributes["cap"] = 0.0F; },
      "cap must be a positive number");
  all->add(
      soft_cap(),
      "a negative cap",
      [](OpCase& c) { c.attributes["cap"] = -3.0F; },
      "cap must be a positive number");
}

void add_attention_shapes(Collector* all) {
  const auto set = [](const char* name, ops::Attributes::Value value) {
    return [name, value](OpCase& c) { c.attributes[name] = value; };
  };
  all->add(attention(),
           "no heads",
           set("num_heads", integer(0)),
           "num_heads must be a multiple of kv_num_heads");
  all->add(attention(),
           "no key heads",
           set("kv_num_heads", integer(0)),
           "key/value heads must be 1 to 4096");
  all->add(attention(),
           "heads that do not divide",
           set("kv_num_heads", integer(3)),
           "num_heads must be a multiple of kv_num_heads");
  all->add(attention(),
           "a window of 0",
           set("local_window_size", integer(0)),
           "local_window_size must be -1 or at least 1");
  all->add(attention(), "a negative softcap", set("softcap", -1.0F), "softcap not negative");
}

void add_attention_tensors(Collector* all) {
  all->add(
      attention(),
      "key without value",
      [](OpCase& c) { c.inputs[2] = left_out(); },
      "key and value must both be given or both be left out");
  all->add(
      attention(),
      "rotary without tables",
      [](OpCase& c) { c.inputs[8] = left_out(); },
      "do_rotary needs cos and sin");
  all->add(
      attention(),
      "tables of two shapes",
      [](OpCase& c) { c.inputs[9] = rows({20, 1}); },
      "cos and sin must have one shape");
  all->add(
      attention(),
      "tables wider than a head",
      [](OpCase& c) { c.inputs[8] = c.inputs[9] = rows({20, 3}); },
      "with R at most head_dim");
  all->add(
      attention(),
      "a query that its heads do not divide",
      [](OpCase& c) { c.inputs[0] = rows({3, 7}); },
      "no multiple of 2 heads");
  all->add(
      attention(),
      "a query of one dimension",
      [](OpCase& c) { c.inputs[0] = rows({24}); },
      "query has shape [24] where rank 2 is wanted");
  all->add(
      attention(),
      "keys of another width",
      [](OpCase& c) { c.inputs[1] = rows({3, 8}); },
      "key and value must be [3, 4]");
  all->add(
      attention(),
      "keys of other tokens",
      [](OpCase& c) { c.inputs[1] = rows({2, 4}); },
      "key and value must be [3, 4]");
  all->add(
      attention(),
      "sinks of another number",
      [](OpCase& c) { c.inputs[10] = rows({3}); },
      "head_sink must have one entry a head");
  all->add(
      attention(),
      "a foreign cache",
      [](OpCase& c) { c.foreign_cache = true; },
      "is not where the runner put it: its writes would be lost");
}

void add_attention_tables(Collector* all) {
  const auto ints = [](std::size_t input, std::vector<std::int64_t> values) {
    return [input, values](OpCase& c) { c.inputs[input].values = values; };
  };
  all->add(attention(), "a block past the end", ints(7, {1, 4}), "block 4 is not in 0 ... 3");
  all->add(
      attention(), "a block that is not given", ints(7, {-1, 3}), "block -1 is not in 0 ... 3");
  all->add(attention(),
           "lengths that fall",
           ints(5, {0, 4, 3}),
           "cumulative_sequence_lengths must ascend");
  all->add(attention(),
           "lengths past the tokens",
           ints(5, {0, 2, 4}),
           "cumulative_sequence_lengths must go from 0 to 3");
  all->add(attention(), "a negative past", ints(6, {0, -1}), "past length is negative");
  all->add(attention(),
           "more tokens than blocks hold",
           ints(6, {0, 16}),
           "17 tokens do not fit 1 blocks");
  all->add(
      attention(),
      "a position past the tables",
      [](OpCase& c) { c.inputs[8] = c.inputs[9] = rows({4, 2}); },
      "position 5 has no row in cos and sin");
  all->add(
      attention(),
      "a table of other sequences",
      [](OpCase& c) { c.inputs[7] = integers(ElementType::kInt32, {1, 2}, {1, 3}); },
      "block_table must have one row for each past_sequence_lengths entry");
  all->add(
      attention(),
      "a table of one dimension",
      [](OpCase& c) { c.inputs[7] = integers(ElementType::kInt32, {2}, {1, 3}); },
      "block_table has shape [2] where rank 2 is wanted");
  all->add(
      attention(),
      "lengths of 64 bits",
      [](OpCase& c) { c.inputs[5] = integers(ElementType::kInt64, {3}, {0, 2, 3}); },
      "cumulative_sequence_lengths has element type int64 where int32 is wanted");
  all->add(
      attention(),
      "too few lengths",
      [](OpCase& c) { c.inputs[5] = integers(ElementType::kInt32, {2}, {0, 3}); },
      "cumulative_sequence_lengths must have one entry more");
}

template <typename T>
void put(const std::vector<std::int64_t>& values, std::vector<std::byte>* bytes) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto value = static_cast<T>(values[i]);
    std::memcpy(bytes->data() + i * sizeof(T), &value, sizeof(T));
  }
}

}  // namespace

std::vector<OpCase> good_op_cases() {
  return {linear(),
          embedding(),
          rms_norm(),
          layer_norm(),
          activation("Activation"),
          activation("GatedActivation"),
          soft_cap(),
          attention()};
}

std::vector<OpCase> bad_op_cases() {
  Collector all;
  add_linear_cases(&all);
  add_linear_tensors(&all);
  add_row_cases(&all);
  add_norm_cases(&all);
  add_activation_cases(&all);
  add_attention_shapes(&all);
  add_attention_tensors(&all);
  add_attention_tables(&all);
  return all.take();
}

std::vector<std::byte> bytes_of(const OpInput& input) {
  std::size_t count = 1;
  for (const std::int64_t dim : input.dims) count *= static_cast<std::size_t>(dim);
  std::vector<std::byte> bytes(std::max<std::size_t>(count * ops::element_bytes(input.type), 1));
  if (input.type == ElementType::kInt64) put<std::int64_t>(input.values, &bytes);
  if (input.type == ElementType::kInt32) put<std::int32_t>(input.values, &bytes);
  return bytes;
}

bool is_cache(const OpCase& c, std::size_t input) {
  return c.op == "PagedAttention" && (input == 3 || input == 4);
}

}  // namespace quire::test_support
