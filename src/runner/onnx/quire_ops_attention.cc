#include "runner/onnx/quire_ops_attention.h"

namespace quire::onnx {
namespace {

enum Input : std::size_t {
  kQuery,
  kKey,
  kValue,
  kKeyCache,
  kValueCache,
  kCumulative,
  kPast,
  kBlockTable,
  kCos,
  kSin,
  kHeadSink
};

}  // namespace

Result<std::unique_ptr<PagedAttentionKernel>> PagedAttentionKernel::create(
    Ort::ConstKernelInfo info, OpsState& state) {
  std::unique_ptr<PagedAttentionKernel> kernel(new PagedAttentionKernel(state));
  kernels::AttentionParams& params = kernel->params_;
  QUIRE_ASSIGN(params.num_heads, required_int(info, "num_heads"));
  QUIRE_ASSIGN(params.kv_num_heads, required_int(info, "kv_num_heads"));
  QUIRE_ASSIGN(params.scale, optional_float(info, "scale", 0.0F));
  QUIRE_ASSIGN(params.softcap, optional_float(info, "softcap", 0.0F));
  QUIRE_ASSIGN(params.local_window_size, optional_int(info, "local_window_size", -1));
  QUIRE_ASSIGN(const std::int64_t rotary, optional_int(info, "do_rotary", 0));
  QUIRE_ASSIGN(const std::int64_t interleaved, optional_int(info, "rotary_interleaved", 0));
  params.do_rotary = rotary != 0;
  params.rotary_interleaved = interleaved != 0;
  params.block_size = state.config.block_size;
  params.dtype = state.config.kv_dtype;
  // Any head_dim that is in bounds: the tensors' own is checked with them, in each run.
  kernels::AttentionParams probe = params;
  probe.head_dim = 1;
  const Status checked = kernels::check_attention_params(probe);
  if (!checked.ok()) return bad_model(checked.message());

  const bool has_key = !input_name(info, kKey).empty();
  if (has_key != !input_name(info, kValue).empty()) {
    return bad_model("key and value must both be given or both be left out");
  }
  kernel->packed_ = !has_key;
  kernel->has_sink_ = !input_name(info, kHeadSink).empty();
  if (params.do_rotary && (input_name(info, kCos).empty() || input_name(info, kSin).empty())) {
    return bad_model("do_rotary needs cos and sin");
  }
  kernel->cache_names_[0] = input_name(info, kKeyCache);
  kernel->cache_names_[1] = input_name(info, kValueCache);
  if (kernel->cache_names_[0] == kernel->cache_names_[1]) {
    return bad_model("key_cache and value_cache must be two inputs");
  }
  return kernel;
}

Status PagedAttentionKernel::read_rows(Ort::KernelContext& context,
                                       kernels::AttentionParams& params,
                                       kernels::AttentionInputs& inputs) const {
  QUIRE_ASSIGN(const TensorView<float> query, tensor<float>(context.GetInput(kQuery), 2, "query"));
  const std::int64_t kv_heads = params.kv_num_heads;
  const std::int64_t heads = params.num_heads + (packed_ ? 2 * kv_heads : 0);
  const std::int64_t width = query.shape[1];
  params.head_dim = width / heads;
  if (params.head_dim * heads != width) {
    return bad_model("query is " + std::to_string(width) + " wide, which is no multiple of " +
                     std::to_string(heads) + " heads");
  }
  inputs.num_tokens = query.shape[0];
  inputs.query = {query.data.data(), width};
  if (packed_) {
    inputs.key = {query.data.data() + params.num_heads * params.head_dim, width};
    inputs.value = {inputs.key.data + kv_heads * params.head_dim, width};
    return ok_status();
  }
  const std::vector<std::int64_t> wanted = {inputs.num_tokens, kv_heads * params.head_dim};
  QUIRE_ASSIGN(const TensorView<float> key, tensor<float>(context.GetInput(kKey), 2, "key"));
  QUIRE_ASSIGN(const TensorView<float> value, tensor<float>(context.GetInput(kValue), 2, "value"));
  if (key.shape != wanted || value.shape != wanted) {
    return bad_model("key and value must be [" + std::to_string(wanted[0]) + ", " +
                     std::to_string(wanted[1]) + "] as query and kv_num_heads say");
  }
  inputs.key = {key.data.data(), wanted[1]};
  inputs.value = {value.data.data(), wanted[1]};
  return ok_status();
}

Status PagedAttentionKernel::read_rotary(Ort::KernelContext& context,
                                         kernels::AttentionInputs& inputs) const {
  if (has_sink_) {
    QUIRE_ASSIGN(const TensorView<float> sink,
                 tensor<float>(context.GetInput(kHeadSink), 1, "head_sink"));
    if (static_cast<std::int64_t>(sink.data.size()) != params_.num_heads) {
      return bad_model("head_sink must have one entry a head");
    }
    inputs.head_sink = sink.data;
  }
  if (!params_.do_rotary) return ok_status();
  QUIRE_ASSIGN(const TensorView<float> cos, tensor<float>(context.GetInput(kCos), 2, "cos"));
  QUIRE_ASSIGN(const TensorView<float> sin, tensor<float>(context.GetInput(kSin), 2, "sin"));
  if (cos.shape != sin.shape) return bad_model("cos and sin must have one shape");
  inputs.cos = cos.data;
  inputs.sin = sin.data;
  inputs.rotary_half = cos.shape[1];
  return ok_status();
}

Result<std::uint8_t*> PagedAttentionKernel::cache(Ort::KernelContext& context,
                                                  std::size_t index,
                                                  std::int64_t block_bytes,
                                                  std::int64_t& num_blocks) const {
  const std::string& name = cache_names_[index - kKeyCache];
  QUIRE_ASSIGN(const TensorView<std::uint8_t> view,
               tensor<std::uint8_t>(context.GetInput(index), 2, name));
  const auto pool = state_.pools.find(name);
  if (pool == state_.pools.end()) {
    return internal_error(name + " is no cache of this runner's");
  }
  if (view.data.data() != pool->second.data || view.shape[0] != pool->second.num_blocks) {
    return internal_error(name + " is not where the runner put it: its writes would be lost");
  }
  if (view.shape[1] != block_bytes) {
    return bad_model(name + " has blocks of " + std::to_string(view.shape[1]) +
                     " bytes where heads and head_dim make it " + std::to_string(block_bytes));
  }
  num_blocks = view.shape[0];
  // The graph's input is written in place: that is what it is for, and the check above makes sure
  // that it is the runner's own memory.
  return const_cast<std::uint8_t*>(view.data.data());
}

Status PagedAttentionKernel::read_cache(Ort::KernelContext& context,
                                        const kernels::AttentionParams& params,
                                        kernels::AttentionInputs& inputs) const {
  QUIRE_ASSIGN(
      const std::int64_t bytes,
      kernels::block_bytes(params.kv_num_heads, params.head_dim, params.block_size, params.dtype));
  std::int64_t value_blocks = 0;
  QUIRE_ASSIGN(inputs.key_cache, cache(context, kKeyCache, bytes, inputs.num_blocks));
  QUIRE_ASSIGN(inputs.value_cache, cache(context, kValueCache, bytes, value_blocks));
  if (value_blocks != inputs.num_blocks) {
    return internal_error("key_cache and value_cache have different numbers of blocks");
  }
  QUIRE_ASSIGN(
      const TensorView<std::int32_t> cumulative,
      tensor<std::int32_t>(context.GetInput(kCumulative), 1, "cumulative_sequence_lengths"));
  QUIRE_ASSIGN(const TensorView<std::int32_t> past,
               tensor<std::int32_t>(context.GetInput(kPast), 1, "past_sequence_lengths"));
  QUIRE_ASSIGN(const TensorView<std::int32_t> table,
               tensor<std::int32_t>(context.GetInput(kBlockTable), 2, "block_table"));
  if (table.shape[0] != past.shape[0]) {
    return invalid_argument("block_table must have one row for each past_sequence_lengths entry");
  }
  inputs.cumulative_lengths = cumulative.data;
  inputs.past_lengths = past.data;
  inputs.block_table = table.data;
  return ok_status();
}

Status PagedAttentionKernel::run(Ort::KernelContext& context) {
  kernels::AttentionParams params = params_;
  kernels::AttentionInputs inputs;
  QUIRE_TRY(read_rows(context, params, inputs));
  QUIRE_TRY(read_rotary(context, inputs));
  QUIRE_TRY(read_cache(context, params, inputs));
  const std::int64_t width = params.num_heads * params.head_dim;
  auto output = context.GetOutput(0, {inputs.num_tokens, width});
  const std::span<float> out(output.GetTensorMutableData<float>(),
                             static_cast<std::size_t>(inputs.num_tokens * width));
  QUIRE_ASSIGN(const OpRun hold, OpRun::start(state_));
  OrtExecutor executor(context, state_.config.num_threads);
  return kernels::paged_attention(
      {state_.config.isa, executor, state_.workspace}, params, inputs, out);
}

}  // namespace quire::onnx
