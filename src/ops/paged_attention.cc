#include "ops/paged_attention.h"

#include <algorithm>

namespace quire::ops {

Result<std::unique_ptr<Operator>> PagedAttention::make(const Node& node, Environment* environment) {
  std::unique_ptr<PagedAttention> made(new PagedAttention(environment));
  kernels::AttentionParams& params = made->params_;
  const Attributes& given = node.attributes;
  QUIRE_ASSIGN(params.num_heads, given.required_int("num_heads"));
  QUIRE_ASSIGN(params.kv_num_heads, given.required_int("kv_num_heads"));
  QUIRE_ASSIGN(params.scale, given.optional_float("scale", 0.0F));
  QUIRE_ASSIGN(params.softcap, given.optional_float("softcap", 0.0F));
  QUIRE_ASSIGN(params.local_window_size, given.optional_int("local_window_size", -1));
  QUIRE_ASSIGN(const std::int64_t rotary, given.optional_int("do_rotary", 0));
  QUIRE_ASSIGN(const std::int64_t interleaved, given.optional_int("rotary_interleaved", 0));
  params.do_rotary = rotary != 0;
  params.rotary_interleaved = interleaved != 0;
  params.block_size = environment->block_size;
  params.dtype = environment->kv_dtype;
  // Any head_dim that is in bounds: the tensors' own is checked with them, in each run.
  kernels::AttentionParams probe = params;
  probe.head_dim = 1;
  const Status checked = kernels::check_attention_params(probe);
  if (!checked.ok()) return bad_model(checked.message());

  if (node.input(kKey).present != node.input(kValue).present) {
    return bad_model("key and value must both be given or both be left out");
  }
  if (params.do_rotary && !(node.input(kCos).present && node.input(kSin).present)) {
    return bad_model("do_rotary needs cos and sin");
  }
  made->cache_names_ = {node.input(kKeyCache).name, node.input(kValueCache).name};
  if (!made->cache_names_[0].empty() && made->cache_names_[0] == made->cache_names_[1]) {
    return bad_model("key_cache and value_cache must be two inputs");
  }
  return std::unique_ptr<Operator>(std::move(made));
}

// Heads side by side in a row of query, which holds keys and values too when those are left out.
std::int64_t PagedAttention::num_query_heads(std::span<const Tensor> inputs) const {
  return params_.num_heads + (inputs[kKey].present ? 0 : 2 * params_.kv_num_heads);
}

Status PagedAttention::check_rows_of(std::span<const Tensor> inputs) const {
  QUIRE_TRY(check_tensor(inputs[kQuery], ElementType::kFloat32, 2, "query"));
  const std::int64_t heads = num_query_heads(inputs);
  const std::int64_t width = inputs[kQuery].shape[1];
  const std::int64_t head_dim = width / heads;
  if (head_dim * heads != width) {
    return bad_model("query is " + std::to_string(width) + " wide, which is no multiple of " +
                     std::to_string(heads) + " heads");
  }
  if (!inputs[kKey].present) return ok_status();
  const Shape wanted = {inputs[kQuery].shape[0], params_.kv_num_heads * head_dim};
  QUIRE_TRY(check_tensor(inputs[kKey], ElementType::kFloat32, 2, "key"));
  QUIRE_TRY(check_tensor(inputs[kValue], ElementType::kFloat32, 2, "value"));
  if (inputs[kKey].shape == wanted && inputs[kValue].shape == wanted) return ok_status();
  return bad_model("key and value must be " + wanted.text() + " as query and kv_num_heads say");
}

Status PagedAttention::check_rotary(std::span<const Tensor> inputs) const {
  if (inputs[kHeadSink].present) {
    QUIRE_TRY(check_tensor(inputs[kHeadSink], ElementType::kFloat32, 1, "head_sink"));
    if (inputs[kHeadSink].shape[0] != params_.num_heads) {
      return bad_model("head_sink must have one entry a head");
    }
  }
  if (!params_.do_rotary) return ok_status();
  QUIRE_TRY(check_tensor(inputs[kCos], ElementType::kFloat32, 2, "cos"));
  QUIRE_TRY(check_tensor(inputs[kSin], ElementType::kFloat32, 2, "sin"));
  if (inputs[kCos].shape == inputs[kSin].shape) return ok_status();
  return bad_model("cos and sin must have one shape");
}

Status PagedAttention::check_cache(const Tensor& cache,
                                   std::size_t input,
                                   std::int64_t block_bytes) const {
  const std::string& graph_name = cache_names_[input - kKeyCache];
  const std::string name =
      graph_name.empty() ? (input == kKeyCache ? "key_cache" : "value_cache") : graph_name;
  QUIRE_TRY(check_tensor(cache, ElementType::kUint8, 2, name));
  const auto& pools = environment_->pools;
  auto pool = pools.find(graph_name);
  if (graph_name.empty()) {
    pool =
        std::ranges::find(pools, cache.data, [](const auto& entry) { return entry.second.data; });
  } else if (pool == pools.end()) {
    return internal_error(name + " is no cache of this runner's");
  }
  if (pool == pools.end() || cache.data != pool->second.data ||
      cache.shape[0] != pool->second.num_blocks) {
    return internal_error(name + " is not where the runner put it: its writes would be lost");
  }
  if (cache.shape[1] == block_bytes) return ok_status();
  return bad_model(
      name + " has blocks of " + std::to_string(cache.shape[1]) +
      " bytes, by the package's cache_layers, where the graph's heads and head_dim make "
      "it " +
      std::to_string(block_bytes));
}

Status PagedAttention::check_batch(std::span<const Tensor> inputs) const {
  QUIRE_TRY(
      check_tensor(inputs[kCumulative], ElementType::kInt32, 1, "cumulative_sequence_lengths"));
  QUIRE_TRY(check_tensor(inputs[kPast], ElementType::kInt32, 1, "past_sequence_lengths"));
  QUIRE_TRY(check_tensor(inputs[kBlockTable], ElementType::kInt32, 2, "block_table"));
  if (inputs[kBlockTable].shape[0] == inputs[kPast].shape[0]) return ok_status();
  return invalid_argument("block_table must have one row for each past_sequence_lengths entry");
}

Result<Shape> PagedAttention::output_shape(std::span<const Tensor> inputs) const {
  QUIRE_TRY(check_rows_of(inputs));
  QUIRE_TRY(check_rotary(inputs));
  const std::int64_t head_dim = inputs[kQuery].shape[1] / num_query_heads(inputs);
  QUIRE_ASSIGN(
      const std::int64_t bytes,
      kernels::block_bytes(params_.kv_num_heads, head_dim, params_.block_size, params_.dtype));
  QUIRE_TRY(check_cache(inputs[kKeyCache], kKeyCache, bytes));
  QUIRE_TRY(check_cache(inputs[kValueCache], kValueCache, bytes));
  if (inputs[kKeyCache].data == inputs[kValueCache].data) {
    return bad_model("key_cache and value_cache must be two inputs");
  }
  if (inputs[kKeyCache].shape[0] != inputs[kValueCache].shape[0]) {
    return internal_error("key_cache and value_cache have different numbers of blocks");
  }
  QUIRE_TRY(check_batch(inputs));
  return Shape{inputs[kQuery].shape[0], params_.num_heads * head_dim};
}

kernels::AttentionInputs PagedAttention::read_inputs(std::span<const Tensor> inputs,
                                                     std::int64_t head_dim) const {
  kernels::AttentionInputs read;
  const std::int64_t width = inputs[kQuery].shape[1];
  const std::int64_t kv_width = params_.kv_num_heads * head_dim;
  read.num_tokens = inputs[kQuery].shape[0];
  read.query = {static_cast<const float*>(inputs[kQuery].data), width};
  if (inputs[kKey].present) {
    read.key = {static_cast<const float*>(inputs[kKey].data), kv_width};
    read.value = {static_cast<const float*>(inputs[kValue].data), kv_width};
  } else {
    read.key = {read.query.data + params_.num_heads * head_dim, width};
    read.value = {read.key.data + kv_width, width};
  }
  // The graph's inputs are written in place: that is what they are for, and check_cache() makes
  // sure that they are the runner's own memory.
  const auto writable = [](const Tensor& cache) {
    return const_cast<std::uint8_t*>(static_cast<const std::uint8_t*>(cache.data));
  };
  read.key_cache = writable(inputs[kKeyCache]);
  read.value_cache = writable(inputs[kValueCache]);
  read.num_blocks = inputs[kKeyCache].shape[0];
  read.cumulative_lengths = inputs[kCumulative].elements<std::int32_t>();
  read.past_lengths = inputs[kPast].elements<std::int32_t>();
  read.block_table = inputs[kBlockTable].elements<std::int32_t>();
  if (params_.do_rotary) {
    read.cos = inputs[kCos].elements<float>();
    read.sin = inputs[kSin].elements<float>();
    read.rotary_half = inputs[kCos].shape[1];
  }
  if (inputs[kHeadSink].present) read.head_sink = inputs[kHeadSink].elements<float>();
  return read;
}

Status PagedAttention::run(kernels::Executor& executor,
                           std::span<const Tensor> inputs,
                           std::span<float> output) {
  kernels::AttentionParams params = params_;
  params.head_dim = inputs[kQuery].shape[1] / num_query_heads(inputs);
  return kernels::paged_attention({environment_->isa, executor, environment_->workspace},
                                  params,
                                  read_inputs(inputs, params.head_dim),
                                  output);
}

}  // namespace quire::ops
