#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ops/tensor.h"
#include "quire/model_runner.h"
#include "quire/result.h"

// The inputs and outputs of the paged graph (docs/model_package.md), whoever runs it.
namespace quire::ops {

// An input or output as a graph declares it. A dimension of -1 is free; no type: one that paged
// graphs never have.
struct GraphValue {
  std::string name;
  std::optional<ElementType> type;
  std::vector<std::int64_t> shape;
};

// What a package promises of its graph.
struct PagedGraphPromise {
  std::size_t num_layers = 0;  // with a cache
  std::int64_t vocab_size = 0;
};

// Which of the optional inputs a graph has.
struct OptionalInputs {
  bool position_ids = false;
  bool previous_ids = false;
};

// Holds a graph against the contract. Fails with kBadModel and the name of what is wrong.
Result<OptionalInputs> check_paged_graph(std::span<const GraphValue> inputs,
                                         std::span<const GraphValue> outputs,
                                         const PagedGraphPromise& promise);

std::string key_cache_name(std::size_t layer);
std::string value_cache_name(std::size_t layer);

// The ids of a step as graphs take them: 64 bits wide, with what the optional inputs want beside
// them. Kept from step to step, so that none allocates once a step as long has been seen.
class StepIds {
 public:
  void assign(const ModelInput& input, const OptionalInputs& optional);

  std::span<const std::int64_t> token_ids() const { return token_ids_; }        // [T]
  std::span<const std::int64_t> position_ids() const { return position_ids_; }  // [T] or empty
  std::span<const std::int64_t> previous_ids() const { return previous_ids_; }  // [T] or empty

 private:
  std::vector<std::int64_t> token_ids_;
  std::vector<std::int64_t> position_ids_;
  std::vector<std::int64_t> previous_ids_;
};

// What a step says of an operator that failed: memory stays kResourceExhausted, all else is
// kInternal, for the engine has checked what a caller may have got wrong.
Status step_failure(const Status& status);

}  // namespace quire::ops
