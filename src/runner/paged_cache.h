#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/system_memory.h"
#include "kernels/attention_call.h"
#include "package/model_package.h"
#include "quire/model_runner.h"
#include "quire/options.h"
#include "quire/result.h"

namespace quire {

// The memory of a paged cache: for each layer one region of keys and one of values, each
// `num_blocks` blocks side by side, which attention writes in place. Owns it; the addresses stay
// what they are for its life. Movable.
class PagedCache {
 public:
  struct Region {
    std::uint8_t* data = nullptr;
    std::int64_t block_bytes = 0;
  };

  // Sizes and reserves a cache for a package's layers. kBadModel: layers that no kernel can serve;
  // kResourceExhausted: too little memory.
  static Result<PagedCache> allocate(const ModelPackage& package, const EngineOptions& options);

  kernels::KvDtype dtype() const { return dtype_; }
  int num_blocks() const { return num_blocks_; }
  const std::vector<Region>& keys() const { return keys_; }
  const std::vector<Region>& values() const { return values_; }

 private:
  PagedCache() = default;
  void lay_out(const std::vector<std::int64_t>& layer_bytes);

  std::unique_ptr<MemoryRegion> memory_;
  kernels::KvDtype dtype_ = kernels::KvDtype::kFloat32;
  int num_blocks_ = 0;
  std::vector<Region> keys_;
  std::vector<Region> values_;
};

// Runs a step at the last position that the package promises. What only shows when the graph
// computes (tables shorter than the context, caches of another shape than model_info.json says) is
// a bad model now and not a failure in the middle of somebody's answer.
Status probe_last_position(const std::filesystem::path& model_file,
                           int max_seq_len,
                           ModelRunner* runner);

}  // namespace quire
