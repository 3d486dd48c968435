#pragma once

#include <cstdint>

namespace quire::kernels {

constexpr int kKeyVector = 16;  // keys in one register
constexpr int kKeyTile = 64;    // keys between two updates of the running softmax
constexpr int kTileVectors = kKeyTile / kKeyVector;
constexpr int kMaxAttentionRows = 32;  // rows of one work item

// Keys that are summed on their own, from a multiple of it on, before they are added to those
// before them: what makes it possible to share out the keys of one row among threads and get the
// same bits.
constexpr std::int64_t kKeyChunk = 512;

// Element type of the paged cache. Rounding happens once, to nearest and ties to even, when a row
// is written, so a key reads the same in the step that wrote it and in every later one. What a
// 16-bit float cannot reach becomes its largest number. kInt8 has one float32 scale for each token
// and head, its largest magnitude over 127.
enum class KvDtype : std::uint8_t { kFloat32, kFloat16, kBfloat16, kInt8 };

// One step as the inner loops see it: checked, and with everything derived worked out.
struct AttentionCall {
  const float* query = nullptr;
  const float* key = nullptr;
  const float* value = nullptr;
  std::int64_t query_stride = 0;
  std::int64_t key_stride = 0;
  std::int64_t value_stride = 0;
  float* out = nullptr;
  std::uint8_t* key_cache = nullptr;
  std::uint8_t* value_cache = nullptr;
  std::int64_t block_bytes = 0;
  std::int64_t block_size = 0;
  KvDtype dtype = KvDtype::kFloat32;
  std::int64_t num_heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t group = 0;  // query heads of one key/value head
  std::int64_t head_dim = 0;
  std::int64_t padded_dim = 0;  // head_dim rounded up to whole registers
  float scale = 0;
  float softcap = 0;
  std::int64_t window = 0;  // keys visible; past any length when there is no window
  const float* cos = nullptr;
  const float* sin = nullptr;
  std::int64_t rotary_half = 0;  // 0: no rotation
  bool interleaved = false;
  const float* head_sink = nullptr;
  const std::int32_t* cumulative = nullptr;
  const std::int32_t* past = nullptr;
  const std::int32_t* block_table = nullptr;
  std::int64_t max_blocks = 0;
};

// A row is one query head of one token; rows of a sequence and key/value head are numbered token by
// token, and inside a token by head: row = token * group + head in group.
struct AttentionItem {
  static constexpr std::int64_t kCombine = -1;

  std::int64_t sequence = 0;
  std::int64_t kv_head = 0;
  std::int64_t row_begin = 0;
  std::int64_t row_end = 0;  // at most kMaxAttentionRows later
  // Null: the rows look at all their keys. Else states [chunk][row] of attention_state_floats():
  // the rows look at the chunk at hand only and leave its states there, or combine those of all.
  float* parts = nullptr;
  std::int64_t chunk = 0;  // keys from chunk * kKeyChunk on; or kCombine
};

// Floats of what a row knows of the keys it has seen.
constexpr std::int64_t attention_state_floats(std::int64_t padded_dim) {
  return padded_dim + 2 * kKeyVector;
}

// Floats of scratch that one work item needs.
constexpr std::int64_t attention_scratch_floats(std::int64_t head_dim, std::int64_t padded_dim) {
  return kMaxAttentionRows * (2 * attention_state_floats(padded_dim) + kKeyTile + head_dim) +
         kKeyVector;
}

}  // namespace quire::kernels
