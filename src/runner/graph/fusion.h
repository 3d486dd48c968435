#pragma once

#include <vector>

#include "ops/tensor.h"
#include "runner/graph/graph_model.h"

namespace quire::graph {

// The shapes of all values for two steps of different sizes: what is equal in both is equal always.
struct SampleShapes {
  std::vector<ops::Shape> first;
  std::vector<ops::Shape> second;

  bool equal(int a, int b) const {
    const auto i = static_cast<std::size_t>(a);
    const auto j = static_cast<std::size_t>(b);
    return first[i] == first[j] && second[i] == second[j];
  }
};

// Replaces Linears by FusedLinears wherever nodes around them fit: an RMSNorm whose rows only
// Linears take, other Linears over the same rows, a gated activation or an addition that is the
// only one to take what a Linear makes. Changes no bit of any output.
void fuse(const SampleShapes& shapes, ops::Environment* environment, GraphModel* model);

}  // namespace quire::graph
