#include "ops/tensor.h"

#include <limits>

#include "base/check.h"

namespace quire::ops {

std::size_t element_bytes(ElementType type) {
  switch (type) {
    case ElementType::kInt8:
    case ElementType::kUint8:
    case ElementType::kBool:
      return 1;
    case ElementType::kFloat16:
    case ElementType::kBfloat16:
      return 2;
    case ElementType::kFloat32:
    case ElementType::kInt32:
      return 4;
    case ElementType::kInt64:
      break;
  }
  return 8;
}

std::string_view element_name(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return "float";
    case ElementType::kFloat16:
      return "float16";
    case ElementType::kBfloat16:
      return "bfloat16";
    case ElementType::kInt8:
      return "int8";
    case ElementType::kUint8:
      return "uint8";
    case ElementType::kInt32:
      return "int32";
    case ElementType::kInt64:
      return "int64";
    case ElementType::kBool:
      break;
  }
  return "bool";
}

Shape::Shape(std::initializer_list<std::int64_t> dims) : rank_(dims.size()) {
  QUIRE_CHECK(rank_ <= kMaxRank, "a shape of too many dimensions");
  std::ranges::copy(dims, dims_.begin());
}

std::optional<Shape> Shape::of(std::span<const std::int64_t> dims) {
  if (dims.size() > kMaxRank) return std::nullopt;
  constexpr std::size_t kMost = std::numeric_limits<std::size_t>::max() >> 4U;
  std::size_t count = 1;
  Shape shape;
  for (const std::int64_t dim : dims) {
    if (dim < 0) return std::nullopt;
    const auto size = static_cast<std::size_t>(dim);
    if (size != 0 && count > kMost / size) return std::nullopt;
    count *= size;
    shape.dims_[shape.rank_++] = dim;
  }
  return shape;
}

Shape Shape::with_back(std::int64_t width) const {
  QUIRE_CHECK(rank_ > 0, "a scalar has no last dimension");
  Shape shape = *this;
  shape.dims_[rank_ - 1] = width;
  return shape;
}

Shape Shape::with_added(std::int64_t width) const {
  QUIRE_CHECK(rank_ < kMaxRank, "a shape of too many dimensions");
  Shape shape = *this;
  shape.dims_[shape.rank_++] = width;
  return shape;
}

std::size_t Shape::num_elements() const {
  std::size_t count = 1;
  for (const std::int64_t dim : dims()) count *= static_cast<std::size_t>(dim);
  return count;
}

std::string Shape::text() const {
  std::string text = "[";
  for (const std::int64_t dim : dims()) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(dim);
  }
  return text + "]";
}

Status check_tensor(const Tensor& tensor, ElementType type, int rank, std::string_view name) {
  if (!tensor.present) return bad_model(std::string(name) + " is missing");
  if (tensor.type != type) {
    return bad_model(std::string(name) + " has element type " +
                     std::string(element_name(tensor.type)) + " where " +
                     std::string(element_name(type)) + " is wanted");
  }
  if (rank >= 0 && tensor.shape.rank() != static_cast<std::size_t>(rank)) {
    return bad_model(std::string(name) + " has shape " + tensor.shape.text() + " where rank " +
                     std::to_string(rank) + " is wanted");
  }
  return ok_status();
}

}  // namespace quire::ops
