#pragma once

#include <cstdint>
#include <string>

#include "ops/tensor.h"

namespace quire::ops {

// Fails with kBadModel unless `x` is float rows whose last dimension is `width` (0: any that is not
// empty).
inline Status check_rows(const Tensor& x, std::int64_t width) {
  QUIRE_TRY(check_tensor(x, ElementType::kFloat32, -1, "x"));
  const bool fits =
      x.shape.rank() > 0 && (width > 0 ? x.shape.back() == width : x.shape.back() > 0);
  if (fits) return ok_status();
  return bad_model("x must have a last dimension of " +
                   (width > 0 ? std::to_string(width) : std::string("at least 1")));
}

}  // namespace quire::ops
