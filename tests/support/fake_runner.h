#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "quire/model_runner.h"

namespace quire {

// A model without weights for tests: the logits of a token are a fixed hash of all tokens up to it,
// read back through the block table. A wrong table, a stale shared block or a lost write changes
// them, so equal answers prove the paging right. The continuation of any prompt can be computed
// without it.
class FakeRunner : public ModelRunner {
 public:
  explicit FakeRunner(const ModelSpec& spec);

  const ModelSpec& spec() const override { return spec_; }
  Status run(const ModelInput& input, std::vector<float>* logits) override;

  // Called before each run and may fail it; for fault injection.
  void set_fault(std::function<Status(const ModelInput&)> fault) { fault_ = std::move(fault); }

  // The logits after exactly these tokens, as run() would give them.
  static std::vector<float> expected_logits(std::span<const TokenId> tokens, int vocab_size);

 private:
  Status run_sequence(const ModelInput& input,
                      std::size_t index,
                      std::vector<std::uint64_t>* hashes);

  ModelSpec spec_;
  std::vector<TokenId> cache_;  // one id a slot, block after block: the "keys and values"
  std::function<Status(const ModelInput&)> fault_;
};

}  // namespace quire
