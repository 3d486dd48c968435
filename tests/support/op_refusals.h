#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ops/operator.h"

// One node for each way in which an operator of src/ops can be used wrongly, and words of the
// refusal. Fed to the own executor and to the adapters of ONNX Runtime and LibTorch by their tests:
// whoever runs a graph, the same mistake gets the same answer.
namespace quire::test_support {

// An input with its values. Empty data: zeros. Caches are bound to the memory of a CacheMemory.
struct OpInput {
  bool present = true;
  ops::ElementType type = ops::ElementType::kFloat32;
  std::vector<std::int64_t> dims = {};
  std::vector<std::int64_t> values = {};  // of integers only
  bool is_constant = false;
};

struct OpCase {
  std::string name;
  std::string op;
  std::map<std::string, ops::Attributes::Value> attributes;
  std::vector<OpInput> inputs;
  std::string words;           // of the refusal; empty: it works
  bool by_torch = true;        // false: LibTorch's schema has no way to say it
  bool foreign_cache = false;  // the caches' memory is not the runner's
};

// The good nodes that the others are made from, and all the bad ones.
std::vector<OpCase> good_op_cases();
std::vector<OpCase> bad_op_cases();

// What the caches of every case have: 4 blocks of 16 tokens of one head of 4 in float32.
constexpr std::int64_t kCaseBlocks = 4;
constexpr std::int64_t kCaseBlockBytes = std::int64_t{16} * 16 * 4;
constexpr std::int64_t kCaseBlockSize = 16;

// An input's elements in memory, zeros or its values; at least one byte.
std::vector<std::byte> bytes_of(const OpInput& input);

// Whether the case's input is one of the two caches.
bool is_cache(const OpCase& c, std::size_t input);

}  // namespace quire::test_support
