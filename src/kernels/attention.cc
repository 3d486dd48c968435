#include "kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "kernels/attention_call.h"
#include "kernels/kernel_table.h"

namespace quire::kernels {
namespace {

// Below this many multiply-adds waking threads costs more than it gains.
constexpr std::int64_t kMinParallelWork = 100'000;

// Tokens whose keys and values one piece of work writes.
constexpr std::int64_t kTokensOfWrite = 8;

// Tokens of one step and positions of a sequence; keeps every product of sizes below 2^63.
constexpr std::int64_t kMaxTokens = std::int64_t{1} << 31;

constexpr std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

std::int64_t padded_dim(std::int64_t head_dim) {
  return divide_up(head_dim, kKeyVector) * kKeyVector;
}

std::size_t to_size(std::int64_t value) { return static_cast<std::size_t>(value); }

Status check_tensors(const AttentionParams& params,
                     const AttentionInputs& inputs,
                     std::span<const float> out) {
  const std::int64_t width = params.num_heads * params.head_dim;
  if (inputs.num_tokens < 0 || inputs.num_tokens > kMaxTokens ||
      out.size() != to_size(inputs.num_tokens * width)) {
    return invalid_argument("attention: the output must be [tokens, heads * head_dim]");
  }
  if (inputs.cumulative_lengths.size() != inputs.past_lengths.size() + 1) {
    return invalid_argument(
        "attention: cumulative_sequence_lengths must have one entry more than"
        " past_sequence_lengths");
  }
  if (inputs.num_blocks < 0 || inputs.num_blocks > std::numeric_limits<std::int32_t>::max()) {
    return invalid_argument("attention: the caches must have less than 2^31 blocks");
  }
  if (!inputs.head_sink.empty() && inputs.head_sink.size() != to_size(params.num_heads)) {
    return invalid_argument("attention: head_sink must have one entry a head");
  }
  if (!params.do_rotary) return ok_status();
  const std::int64_t half = inputs.rotary_half;
  if (half < 1 || 2 * half > params.head_dim || inputs.cos.size() % to_size(half) != 0 ||
      inputs.sin.size() != inputs.cos.size()) {
    return invalid_argument(
        "attention: cos and sin must both be [positions, R / 2] with R at most"
        " head_dim = " +
        std::to_string(params.head_dim));
  }
  return ok_status();
}

// One sequence's lengths and blocks. The blocks before the first visible key may be gone.
Status check_sequence(const AttentionParams& params,
                      const AttentionInputs& inputs,
                      std::size_t sequence,
                      std::int64_t max_blocks) {
  const std::int64_t length =
      std::int64_t{inputs.cumulative_lengths[sequence + 1]} - inputs.cumulative_lengths[sequence];
  const std::int64_t past = inputs.past_lengths[sequence];
  if (length < 0) return invalid_argument("cumulative_sequence_lengths must ascend");
  if (past < 0) return invalid_argument("past length is negative");
  if (length == 0) return ok_status();
  const std::int64_t end = past + length;
  if (params.do_rotary && end > static_cast<std::int64_t>(inputs.cos.size()) / inputs.rotary_half) {
    return invalid_argument("position " + std::to_string(end - 1) + " has no row in cos and sin");
  }
  if (end > max_blocks * params.block_size) {
    return invalid_argument(std::to_string(end) + " tokens do not fit " +
                            std::to_string(max_blocks) + " blocks");
  }
  std::int64_t first = 0;
  if (params.local_window_size > 0) {
    first = std::max<std::int64_t>(past + 1 - params.local_window_size, 0);
  }
  const auto table =
      inputs.block_table.subspan(sequence * to_size(max_blocks), to_size(max_blocks));
  for (std::int64_t b = first / params.block_size; b * params.block_size < end; ++b) {
    const std::int32_t block = table[to_size(b)];
    if (block < 0 || block >= inputs.num_blocks) {
      return invalid_argument("block " + std::to_string(block) + " is not in 0 ... " +
                              std::to_string(inputs.num_blocks - 1));
    }
  }
  return ok_status();
}

Status check_inputs(const AttentionParams& params,
                    const AttentionInputs& inputs,
                    std::span<const float> out) {
  QUIRE_TRY(check_attention_params(params));
  QUIRE_TRY(check_tensors(params, inputs, out));
  const std::size_t sequences = inputs.past_lengths.size();
  if (inputs.cumulative_lengths.front() != 0 ||
      inputs.cumulative_lengths.back() != inputs.num_tokens) {
    return invalid_argument("attention: cumulative_sequence_lengths must go from 0 to " +
                            std::to_string(inputs.num_tokens));
  }
  if (sequences == 0) return ok_status();
  if (inputs.block_table.size() % sequences != 0) {
    return invalid_argument("attention: block_table must be [sequences, max_blocks]");
  }
  const auto max_blocks = static_cast<std::int64_t>(inputs.block_table.size() / sequences);
  for (std::size_t s = 0; s < sequences; ++s) {
    const Status checked = check_sequence(params, inputs, s, max_blocks);
    if (!checked.ok()) return checked.with_context("attention: sequence " + std::to_string(s));
  }
  return ok_status();
}

AttentionCall make_call(const AttentionParams& params,
                        const AttentionInputs& inputs,
                        std::span<float> out,
                        std::int64_t block_bytes) {
  AttentionCall call;
  call.query = inputs.query.data;
  call.key = inputs.key.data;
  call.value = inputs.value.data;
  call.query_stride = inputs.query.stride;
  call.key_stride = inputs.key.stride;
  call.value_stride = inputs.value.stride;
  call.out = out.data();
  call.key_cache = inputs.key_cache;
  call.value_cache = inputs.value_cache;
  call.block_bytes = block_bytes;
  call.block_size = params.block_size;
  call.dtype = params.dtype;
  call.num_heads = params.num_heads;
  call.kv_heads = params.kv_num_heads;
  call.group = params.num_heads / params.kv_num_heads;
  call.head_dim = params.head_dim;
  call.padded_dim = padded_dim(params.head_dim);
  call.scale =
      params.scale != 0 ? params.scale : 1.0F / std::sqrt(static_cast<float>(params.head_dim));
  call.softcap = params.softcap;
  call.window = params.local_window_size > 0 ? params.local_window_size
                                             : std::numeric_limits<std::int64_t>::max() / 2;
  call.cos = inputs.cos.data();
  call.sin = inputs.sin.data();
  call.rotary_half = params.do_rotary ? inputs.rotary_half : 0;
  call.interleaved = params.rotary_interleaved;
  call.head_sink = inputs.head_sink.empty() ? nullptr : inputs.head_sink.data();
  call.cumulative = inputs.cumulative_lengths.data();
  call.past = inputs.past_lengths.data();
  call.block_table = inputs.block_table.data();
  call.max_blocks =
      static_cast<std::int64_t>(inputs.block_table.size() / inputs.past_lengths.size());
  return call;
}

// The step cut into pieces for threads. How it is cut changes the time and never the result.
class WorkPlan {
 public:
  WorkPlan(const AttentionCall& call, std::int64_t sequences, const Executor& executor)
      : call_(call), sequences_(sequences) {
    for (std::int64_t s = 0; s < sequences; ++s) {
      const std::int64_t keys = std::min<std::int64_t>(call.past[s] + length(s), call.window);
      work_ += length(s) * call.num_heads * keys * call.head_dim * 2;
      if (is_split(s)) {
        num_combines_ += call.kv_heads;
        part_floats_ += call.kv_heads * item_part_floats(s);
      }
    }
    // Few long rows: cut smaller, though keys are then read more than once.
    while (rows_ > 1 && count() < 2 * executor.num_threads() && !small()) rows_ /= 2;
  }

  bool small() const { return work_ < kMinParallelWork; }

  std::int64_t count() const {
    std::int64_t items = 0;
    for (std::int64_t s = 0; s < sequences_; ++s) {
      items += (is_split(s) ? key_chunks(s) : row_chunks(s)) * call_.kv_heads;
    }
    return items;
  }

  // Items to run when all others are done.
  std::int64_t num_combines() const { return num_combines_; }

  // Floats of what the split rows' items leave for them.
  std::int64_t part_floats() const { return part_floats_; }

  // count() items, and num_combines() behind them. `parts` has room for part_floats().
  void fill(AttentionItem* items, float* parts) const {
    AttentionItem* combines = items + count();
    for (std::int64_t s = 0; s < sequences_; ++s) {
      if (!is_split(s)) {
        items = fill_rows(s, items);
        continue;
      }
      items = fill_chunks(s, items, parts);
      for (std::int64_t h = 0; h < call_.kv_heads; ++h, parts += item_part_floats(s)) {
        *combines++ = {s, h, 0, num_rows(s), parts, AttentionItem::kCombine};
      }
    }
  }

 private:
  std::int64_t length(std::int64_t s) const {
    return std::int64_t{call_.cumulative[s + 1]} - call_.cumulative[s];
  }
  std::int64_t num_rows(std::int64_t s) const { return length(s) * call_.group; }
  std::int64_t row_chunks(std::int64_t s) const { return divide_up(num_rows(s), rows_); }
  std::int64_t first_chunk(std::int64_t s) const {
    return std::max<std::int64_t>(call_.past[s] + 1 - call_.window, 0) / kKeyChunk;
  }
  std::int64_t key_chunks(std::int64_t s) const {
    return divide_up(call_.past[s] + length(s), kKeyChunk) - first_chunk(s);
  }
  // One piece of rows with many keys: its keys are shared out instead.
  bool is_split(std::int64_t s) const {
    return length(s) > 0 && num_rows(s) <= kMaxAttentionRows && key_chunks(s) > 1;
  }
  std::int64_t item_part_floats(std::int64_t s) const {
    return num_rows(s) * key_chunks(s) * attention_state_floats(call_.padded_dim);
  }

  // Late chunks, which see the most keys, come first: the last to finish should be short.
  AttentionItem* fill_rows(std::int64_t s, AttentionItem* items) const {
    for (std::int64_t chunk = row_chunks(s) - 1; chunk >= 0; --chunk) {
      for (std::int64_t h = 0; h < call_.kv_heads; ++h) {
        const std::int64_t begin = chunk * rows_;
        *items++ = {s, h, begin, std::min(begin + rows_, num_rows(s))};
      }
    }
    return items;
  }

  AttentionItem* fill_chunks(std::int64_t s, AttentionItem* items, float* parts) const {
    const std::int64_t state_floats = attention_state_floats(call_.padded_dim);
    for (std::int64_t chunk = 0; chunk < key_chunks(s); ++chunk) {
      for (std::int64_t h = 0; h < call_.kv_heads; ++h) {
        float* part = parts + h * item_part_floats(s) + chunk * num_rows(s) * state_floats;
        *items++ = {s, h, 0, num_rows(s), part, first_chunk(s) + chunk};
      }
    }
    return items;
  }

  const AttentionCall& call_;
  std::int64_t sequences_;
  std::int64_t rows_ = kMaxAttentionRows;
  std::int64_t work_ = 0;
  std::int64_t num_combines_ = 0;
  std::int64_t part_floats_ = 0;
};

// Writes the keys and values of tokens [begin, end) of the flat axis.
void write_tokens(const AttentionCall& call,
                  const AttentionInputs& inputs,
                  const KernelTable& table,
                  std::pair<std::int64_t, std::int64_t> range,
                  float* scratch) {
  const auto lengths = inputs.cumulative_lengths;
  auto end_of_sequence = std::upper_bound(lengths.begin(), lengths.end(), range.first);
  for (std::int64_t t = range.first; t < range.second; ++t) {
    while (*end_of_sequence <= t) ++end_of_sequence;
    const std::int64_t sequence = end_of_sequence - lengths.begin() - 1;
    table.write_cache(call, sequence, t - lengths[to_size(sequence)], scratch);
  }
}

}  // namespace

Result<std::int64_t> block_bytes(std::int64_t kv_heads,
                                 std::int64_t head_dim,
                                 std::int64_t block_size,
                                 KvDtype dtype) {
  if (kv_heads < 1 || kv_heads > kMaxHeads || head_dim < 1 || head_dim > kMaxHeadDim) {
    return invalid_argument("attention: key/value heads must be 1 to " + std::to_string(kMaxHeads) +
                            " and head_dim 1 to " + std::to_string(kMaxHeadDim));
  }
  if (block_size < kKeyVector || block_size > kMaxCacheBlock || block_size % kKeyVector != 0) {
    return invalid_argument("cache blocks must have 16, 32, ... or 256 tokens, not " +
                            std::to_string(block_size));
  }
  const std::int64_t elements = padded_dim(head_dim) * block_size;
  switch (dtype) {
    case KvDtype::kFloat32:
      return kv_heads * elements * 4;
    case KvDtype::kInt8:
      return kv_heads * (elements + block_size * static_cast<std::int64_t>(sizeof(float)));
    case KvDtype::kFloat16:
    case KvDtype::kBfloat16:
      break;
  }
  return kv_heads * elements * 2;
}

Status check_attention_params(const AttentionParams& params) {
  QUIRE_TRY(
      block_bytes(params.kv_num_heads, params.head_dim, params.block_size, params.dtype).error());
  if (params.num_heads < 1 || params.num_heads > kMaxHeads ||
      params.num_heads % params.kv_num_heads != 0) {
    return invalid_argument(
        "attention: num_heads must be a multiple of kv_num_heads, and at most " +
        std::to_string(kMaxHeads));
  }
  if (!std::isfinite(params.scale) || !std::isfinite(params.softcap) || params.softcap < 0) {
    return invalid_argument("attention: scale and softcap must be finite, softcap not negative");
  }
  if (params.local_window_size < -1 || params.local_window_size == 0) {
    return invalid_argument("attention: local_window_size must be -1 or at least 1");
  }
  return ok_status();
}

Status paged_attention(const KernelContext& context,
                       const AttentionParams& params,
                       const AttentionInputs& inputs,
                       std::span<float> out) {
  QUIRE_TRY(check_inputs(params, inputs, out));
  if (inputs.num_tokens == 0) return ok_status();
  QUIRE_ASSIGN(const std::int64_t bytes,
               block_bytes(params.kv_num_heads, params.head_dim, params.block_size, params.dtype));
  const AttentionCall call = make_call(params, inputs, out, bytes);
  const KernelTable& table = kernel_table(context.isa);

  const auto sequences = static_cast<std::int64_t>(inputs.past_lengths.size());
  const WorkPlan plan(call, sequences, context.executor);
  SerialExecutor serial;
  Executor& executor = plan.small() ? static_cast<Executor&>(serial) : context.executor;
  const std::int64_t items = plan.count();
  const std::int64_t writes = divide_up(inputs.num_tokens, kTokensOfWrite);
  const int workers = num_workers(executor, std::max(items, writes));
  const std::size_t scratch_bytes = aligned_bytes(
      to_size(attention_scratch_floats(call.head_dim, call.padded_dim)) * sizeof(float));
  const std::size_t parts_at = to_size(workers) * scratch_bytes;
  const std::size_t items_at =
      parts_at + aligned_bytes(to_size(plan.part_floats()) * sizeof(float));
  std::byte* memory = context.workspace.reserve(items_at + to_size(items + plan.num_combines()) *
                                                               sizeof(AttentionItem));
  auto* list = reinterpret_cast<AttentionItem*>(memory + items_at);
  plan.fill(list, reinterpret_cast<float*>(memory + parts_at));

  const auto scratch = [&](int worker) {
    return reinterpret_cast<float*>(memory + to_size(worker) * scratch_bytes);
  };
  for_each_item(executor, writes, [&](std::int64_t item, int worker) {
    const std::int64_t begin = item * kTokensOfWrite;
    const std::int64_t end = std::min(begin + kTokensOfWrite, inputs.num_tokens);
    write_tokens(call, inputs, table, {begin, end}, scratch(worker));
  });
  // Every key is in its block before the first query looks.
  for_each_item(executor, items, [&](std::int64_t item, int worker) {
    table.attend(call, list[item], scratch(worker));
  });
  if (plan.num_combines() == 0) return ok_status();
  for_each_item(executor, plan.num_combines(), [&](std::int64_t item, int worker) {
    table.attend(call, list[items + item], scratch(worker));
  });
  return ok_status();
}

}  // namespace quire::kernels
