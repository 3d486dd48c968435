#pragma once

#include <memory>

#include "runner/onnx/quire_ops_common.h"

namespace quire::onnx {

// quire::PagedAttention: kernels::paged_attention() on the graph's tensors.
class PagedAttentionKernel : public KernelBase<PagedAttentionKernel> {
 public:
  static constexpr const char* kName = "PagedAttention";
  static constexpr InputSpec kInputs[] = {
      {element_type<float>()},         // query, or packed query, key and value
      {element_type<float>(), true},   // key
      {element_type<float>(), true},   // value
      {element_type<std::uint8_t>()},  // key_cache
      {element_type<std::uint8_t>()},  // value_cache
      {element_type<std::int32_t>()},  // cumulative_sequence_lengths
      {element_type<std::int32_t>()},  // past_sequence_lengths
      {element_type<std::int32_t>()},  // block_table
      {element_type<float>(), true},   // cos
      {element_type<float>(), true},   // sin
      {element_type<float>(), true},   // head_sink
  };

  static Result<std::unique_ptr<PagedAttentionKernel>> create(Ort::ConstKernelInfo info,
                                                              OpsState& state);
  Status run(Ort::KernelContext& context);

 private:
  explicit PagedAttentionKernel(OpsState& state) : state_(state) {}

  Status read_rows(Ort::KernelContext& context,
                   kernels::AttentionParams& params,
                   kernels::AttentionInputs& inputs) const;
  Status read_rotary(Ort::KernelContext& context, kernels::AttentionInputs& inputs) const;
  Status read_cache(Ort::KernelContext& context,
                    const kernels::AttentionParams& params,
                    kernels::AttentionInputs& inputs) const;
  Result<std::uint8_t*> cache(Ort::KernelContext& context,
                              std::size_t index,
                              std::int64_t block_bytes,
                              std::int64_t& num_blocks) const;

  OpsState& state_;
  kernels::AttentionParams params_;  // head_dim is found at run time, from the query's width
  bool packed_ = false;
  bool has_sink_ = false;
  std::string cache_names_[2];
};

}  // namespace quire::onnx
