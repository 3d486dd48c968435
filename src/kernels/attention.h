#pragma once

#include <cstdint>
#include <span>

#include "kernels/attention_call.h"
#include "kernels/kernel_context.h"
#include "quire/result.h"

namespace quire::kernels {

// Bounds of what attention accepts; they keep all sizes far from overflow.
constexpr std::int64_t kMaxHeads = 4096;
constexpr std::int64_t kMaxHeadDim = 1024;
constexpr std::int64_t kMaxCacheBlock = 256;

// Bytes of one block of a key cache or of a value cache (they are the same). Inside, keys lie as
// [kv_heads][head_dim][block_size], so that sixteen keys share a register, and values as
// [kv_heads][block_size][head_dim], each padded to head_dim rounded up to 16. With 8-bit elements
// the block_size scales of a head follow its elements. Fails with kInvalidArgument unless
// block_size is a multiple of 16 up to 256 and the rest is in bounds.
Result<std::int64_t> block_bytes(std::int64_t kv_heads,
                                 std::int64_t head_dim,
                                 std::int64_t block_size,
                                 KvDtype dtype);

// What stays the same for all calls of one attention node.
struct AttentionParams {
  std::int64_t num_heads = 0;
  std::int64_t kv_num_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t block_size = 16;
  KvDtype dtype = KvDtype::kFloat32;
  float scale = 0;                      // 0: 1 / sqrt(head_dim)
  float softcap = 0;                    // 0: off
  std::int64_t local_window_size = -1;  // keys visible, the query's own included; -1: all
  bool do_rotary = false;
  bool rotary_interleaved = false;
};

// Rows of T tokens, `stride` floats apart: a packed projection is three of them in one tensor.
struct StridedRows {
  const float* data = nullptr;
  std::int64_t stride = 0;
};

// One step: all sequences on one flat token axis of T tokens.
struct AttentionInputs {
  std::int64_t num_tokens = 0;          // T
  StridedRows query;                    // [T, num_heads * head_dim]
  StridedRows key;                      // [T, kv_num_heads * head_dim]
  StridedRows value;                    // [T, kv_num_heads * head_dim]
  std::uint8_t* key_cache = nullptr;    // [num_blocks, block_bytes], written in place
  std::uint8_t* value_cache = nullptr;  // the same
  std::int64_t num_blocks = 0;
  std::span<const std::int32_t> cumulative_lengths;  // [B + 1]
  std::span<const std::int32_t> past_lengths;        // [B]
  std::span<const std::int32_t> block_table;         // [B, block_table.size() / B]
  std::span<const float> cos;                        // [P, rotary_half]; empty without rotary
  std::span<const float> sin;
  std::int64_t rotary_half = 0;      // R / 2
  std::span<const float> head_sink;  // [num_heads] or empty
};

// Rotates queries and keys, writes the step's keys and values into their blocks and attends,
// causally: out is [T, num_heads * head_dim]. A row of it depends on its own sequence up to its own
// position and on nothing else, not even on which of those tokens came in this step: key tiles of
// 64 lie at absolute positions and are summed in ascending order.
// Everything in `inputs` is checked before anything is written; a failure is kInvalidArgument.
// Throws std::bad_alloc when the workspace cannot grow.
Status paged_attention(const KernelContext& context,
                       const AttentionParams& params,
                       const AttentionInputs& inputs,
                       std::span<float> out);

// The checks on `params` alone, for the time a model is opened.
Status check_attention_params(const AttentionParams& params);

}  // namespace quire::kernels
