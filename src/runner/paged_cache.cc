#include "runner/paged_cache.h"

#include <cstddef>
#include <string>
#include <utility>

#include "base/checked_size.h"
#include "kernels/attention.h"
#include "quire/step_batch.h"
#include "runner/kv_sizing.h"
#include "runner/precision.h"

namespace quire {
namespace {

constexpr std::size_t kAlignment = 64;

std::size_t aligned(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

Result<PagedCache> PagedCache::allocate(const ModelPackage& package, const EngineOptions& options) {
  PagedCache cache;
  cache.dtype_ = choose_kv_dtype(package, options.kv_dtype);
  std::vector<std::int64_t> layer_bytes;
  std::uint64_t bytes_per_block = 0;
  for (const CacheLayer& layer : package.cache_layers) {
    const auto bytes =
        kernels::block_bytes(layer.num_kv_heads, layer.head_dim, options.block_size, cache.dtype_);
    if (!bytes) {
      return bad_model(package.folder.string() + ": cache_layers: " + bytes.error().message());
    }
    layer_bytes.push_back(*bytes);
    const auto layer_size = static_cast<std::uint64_t>(*bytes);
    const auto sum = checked_sum({bytes_per_block, layer_size, layer_size});
    if (!sum) return block_too_large();
    bytes_per_block = *sum;
  }
  const std::uint64_t available = available_memory_bytes();
  cache.num_blocks_ = choose_num_kv_blocks({.requested_blocks = options.num_kv_blocks,
                                            .bytes_per_block = bytes_per_block,
                                            .available_bytes = available,
                                            .max_num_seqs = options.max_num_seqs,
                                            .max_seq_len = package.max_seq_len,
                                            .block_size = options.block_size});
  QUIRE_ASSIGN(const std::uint64_t blocks_bytes,
               check_cache_fits(bytes_per_block, cache.num_blocks_, available));
  // What lies between two regions is small beside them; a machine's memory is far from 2^64.
  const auto total = checked_sum({blocks_bytes, 2 * layer_bytes.size() * kAlignment});
  if (!total) return block_too_large();
  QUIRE_ASSIGN(MemoryRegion memory, MemoryRegion::map(*total));
  cache.memory_ = std::make_unique<MemoryRegion>(std::move(memory));
  cache.lay_out(layer_bytes);
  return cache;
}

void PagedCache::lay_out(const std::vector<std::int64_t>& layer_bytes) {
  std::size_t offset = 0;
  for (const std::int64_t bytes : layer_bytes) {
    for (std::vector<Region>* regions : {&keys_, &values_}) {
      auto* data = reinterpret_cast<std::uint8_t*>(memory_->data() + offset);
      regions->push_back({.data = data, .block_bytes = bytes});
      offset += aligned(static_cast<std::size_t>(bytes * num_blocks_));
    }
  }
}

Status probe_last_position(const std::filesystem::path& model_file,
                           int max_seq_len,
                           ModelRunner* runner) {
  const int block_size = runner->spec().block_size;
  const std::vector<TokenId> ids(static_cast<std::size_t>(max_seq_len), 0);
  const int num_blocks = (max_seq_len + block_size - 1) / block_size;
  const std::vector<std::int32_t> blocks(static_cast<std::size_t>(num_blocks), 0);
  StepBatch batch;
  batch.add(ids, max_seq_len - 1, blocks, 1);
  std::vector<float> logits;
  const Status status = runner->run(batch.input(), &logits);
  if (status.code() != StatusCode::kInternal) return status;
  return bad_model(
      model_file.string() +
      " does not fit model_info.json (cache_layers, max_seq_len, vocab_size): " + status.message());
}

}  // namespace quire
