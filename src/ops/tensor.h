#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "quire/result.h"

namespace quire::ops {

enum class ElementType : std::uint8_t {
  kFloat32,
  kFloat16,
  kBfloat16,
  kInt8,
  kUint8,
  kInt32,
  kInt64,
  kBool
};

std::size_t element_bytes(ElementType type);
// ONNX's word for it: "float", "int64", ...
std::string_view element_name(ElementType type);

// The dimensions of a tensor: up to eight, none negative, held in place so that making one never
// allocates.
class Shape {
 public:
  static constexpr std::size_t kMaxRank = 8;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims);

  // Empty when there are more dimensions than kMaxRank, one is negative, or their product does not
  // fit a size_t with four bits to spare.
  static std::optional<Shape> of(std::span<const std::int64_t> dims);

  std::size_t rank() const { return rank_; }
  std::span<const std::int64_t> dims() const { return {dims_.data(), rank_}; }
  std::int64_t operator[](std::size_t i) const { return dims_[i]; }
  std::int64_t back() const { return dims_[rank_ - 1]; }
  // The same shape with another last dimension; the shape must have one.
  Shape with_back(std::int64_t width) const;
  // The same shape with one dimension more behind; kMaxRank must not be reached.
  Shape with_added(std::int64_t width) const;
  std::size_t num_elements() const;
  std::string text() const;  // "[2, 3]"

  bool operator==(const Shape& other) const { return std::ranges::equal(dims(), other.dims()); }

 private:
  std::array<std::int64_t, kMaxRank> dims_ = {};
  std::size_t rank_ = 0;
};

// A dense tensor in CPU memory. A view: what it points to belongs to someone else. One that is not
// present stands for an optional input that is left out.
struct Tensor {
  bool present = false;
  ElementType type = ElementType::kFloat32;
  Shape shape = {};
  const void* data = nullptr;

  std::span<const std::byte> bytes() const {
    return {static_cast<const std::byte*>(data), shape.num_elements() * element_bytes(type)};
  }
  // The elements, whose type must be T's.
  template <typename T>
  std::span<const T> elements() const {
    return {static_cast<const T*>(data), shape.num_elements()};
  }
};

// Fails with kBadModel and `name` unless the tensor is there, of that type, and of that rank (-1:
// any).
Status check_tensor(const Tensor& tensor, ElementType type, int rank, std::string_view name);

}  // namespace quire::ops
