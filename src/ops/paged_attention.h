#pragma once

#include <array>
#include <memory>
#include <string>

#include "kernels/attention.h"
#include "ops/operator.h"

namespace quire::ops {

// quire::PagedAttention: kernels::paged_attention() on the graph's tensors.
class PagedAttention final : public Operator {
 public:
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
    kHeadSink,
    kNumInputs
  };

  static Result<std::unique_ptr<Operator>> make(const Node& node, Environment* environment);

  Result<Shape> output_shape(std::span<const Tensor> inputs) const override;
  Status run(kernels::Executor& executor,
             std::span<const Tensor> inputs,
             std::span<float> output) override;

 private:
  explicit PagedAttention(Environment* environment) : environment_(environment) {}

  std::int64_t num_query_heads(std::span<const Tensor> inputs) const;
  Status check_rows_of(std::span<const Tensor> inputs) const;
  Status check_rotary(std::span<const Tensor> inputs) const;
  Status check_cache(const Tensor& cache, std::size_t input, std::int64_t block_bytes) const;
  Status check_batch(std::span<const Tensor> inputs) const;
  kernels::AttentionInputs read_inputs(std::span<const Tensor> inputs, std::int64_t head_dim) const;

  Environment* environment_;
  kernels::AttentionParams params_;  // head_dim is found from the query's width
  std::array<std::string, 2> cache_names_;
};

}  // namespace quire::ops
