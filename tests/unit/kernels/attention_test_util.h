#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

#include "kernels/attention.h"
#include "unit/kernels/kernel_test_util.h"

namespace quire::kernels {

inline std::size_t to_size(std::int64_t value) { return static_cast<std::size_t>(value); }

// All tokens of one sequence: what a step is cut from.
struct Sequence {
  std::int64_t length = 0;
  std::vector<float> query, key, value;
};

struct Model {
  AttentionParams params;
  std::int64_t rotary_half = 0;
  std::vector<float> cos, sin, sink;

  std::int64_t query_width() const { return params.num_heads * params.head_dim; }
  std::int64_t kv_width() const { return params.kv_num_heads * params.head_dim; }
};

constexpr std::int64_t kPositions = 1000;

inline Model random_model(Random& random, KvDtype dtype) {
  Model model;
  AttentionParams& p = model.params;
  p.kv_num_heads = random.integer(1, 3);
  p.num_heads = p.kv_num_heads * random.integer(1, 6);
  const std::int64_t dims[] = {1, 5, 8, 16, 20, 33, 64, 80};
  p.head_dim = dims[random.integer(0, 7)];
  p.block_size = 16 * random.integer(1, 5);
  p.dtype = dtype;
  if (random.integer(0, 2) == 0) p.scale = 0.3F;
  if (random.integer(0, 3) == 0) p.softcap = 5.0F;
  if (random.integer(0, 2) == 0)
    p.local_window_size = random.integer(1, random.integer(0, 1) == 0 ? 90 : 600);
  p.do_rotary = p.head_dim > 1 && random.integer(0, 3) != 0;
  if (p.do_rotary) {
    model.rotary_half = random.integer(1, p.head_dim / 2);
    p.rotary_interleaved = random.integer(0, 1) == 1;
    for (std::int64_t i = 0; i < kPositions * model.rotary_half; ++i) {
      const float angle = random.normal();
      model.cos.push_back(std::cos(angle));
      model.sin.push_back(std::sin(angle));
    }
  }
  if (random.integer(0, 2) == 0) model.sink = random.normals(p.num_heads);
  return model;
}

inline Sequence random_sequence(Random& random, const Model& model, std::int64_t length) {
  return {length,
          random.normals(length * model.query_width()),
          random.normals(length * model.kv_width()),
          random.normals(length * model.kv_width())};
}

// A cache with its own free blocks, filled with NaN so that reading a stale place shows.
class Cache {
 public:
  Cache(const Model& model, std::int64_t num_blocks, std::uint32_t seed)
      : model_(model),
        num_blocks_(num_blocks),
        bytes_(*block_bytes(model.params.kv_num_heads,
                            model.params.head_dim,
                            model.params.block_size,
                            model.params.dtype)),
        key_(to_size(num_blocks * bytes_), 0xff),
        value_(to_size(num_blocks * bytes_), 0xff),
        free_(to_size(num_blocks)) {
    std::iota(free_.begin(), free_.end(), 0);
    std::shuffle(free_.begin(), free_.end(), std::mt19937(seed));
  }

  std::vector<std::int32_t> take(std::int64_t tokens) {
    std::vector<std::int32_t> blocks;
    for (std::int64_t at = 0; at < tokens; at += model_.params.block_size) {
      blocks.push_back(free_.back());
      free_.pop_back();
    }
    return blocks;
  }

  void bind(AttentionInputs& inputs) {
    inputs.key_cache = key_.data();
    inputs.value_cache = value_.data();
    inputs.num_blocks = num_blocks_;
  }

 private:
  const Model& model_;
  std::int64_t num_blocks_;
  std::int64_t bytes_;
  std::vector<std::uint8_t> key_;
  std::vector<std::uint8_t> value_;
  std::vector<std::int32_t> free_;
};

// What of a sequence a step brings.
struct Slice {
  const Sequence* sequence;
  std::int64_t past;
  std::int64_t count;
  std::vector<std::int32_t> blocks;
};

// A step's tensors, packed or apart.
struct Step {
  std::vector<float> query, key, value;
  std::vector<std::int32_t> cumulative = {0}, past, table;
  AttentionInputs inputs;
};

inline void append(std::vector<float>& to,
                   const std::vector<float>& from,
                   std::int64_t row,
                   std::int64_t width) {
  to.insert(to.end(), from.begin() + row * width, from.begin() + (row + 1) * width);
}

inline Step make_step(const Model& model, const std::vector<Slice>& slices, bool packed) {
  Step step;
  std::size_t max_blocks = 1;
  for (const Slice& s : slices) max_blocks = std::max(max_blocks, s.blocks.size());
  for (const Slice& s : slices) {
    for (std::int64_t t = s.past; t < s.past + s.count; ++t) {
      append(step.query, s.sequence->query, t, model.query_width());
      append(packed ? step.query : step.key, s.sequence->key, t, model.kv_width());
      append(packed ? step.query : step.value, s.sequence->value, t, model.kv_width());
    }
    step.cumulative.push_back(step.cumulative.back() + static_cast<std::int32_t>(s.count));
    step.past.push_back(static_cast<std::int32_t>(s.past));
    step.table.insert(step.table.end(), s.blocks.begin(), s.blocks.end());
    step.table.insert(step.table.end(), max_blocks - s.blocks.size(), -1);
  }
  AttentionInputs& in = step.inputs;
  in.num_tokens = step.cumulative.back();
  const std::int64_t stride = model.query_width() + 2 * model.kv_width();
  if (packed) {
    in.query = {step.query.data(), stride};
    in.key = {step.query.data() + model.query_width(), stride};
    in.value = {in.key.data + model.kv_width(), stride};
  } else {
    in.query = {step.query.data(), model.query_width()};
    in.key = {step.key.data(), model.kv_width()};
    in.value = {step.value.data(), model.kv_width()};
  }
  in.cumulative_lengths = step.cumulative;
  in.past_lengths = step.past;
  in.block_table = step.table;
  in.cos = model.cos;
  in.sin = model.sin;
  in.rotary_half = model.rotary_half;
  in.head_sink = model.sink;
  return step;
}

}  // namespace quire::kernels
