#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "onnx_file/protobuf_reader.h"

namespace quire::onnx {

// The integers of a repeated field: one a field, or many packed into a byte string. A cut last one
// counts as it stands.
inline std::vector<std::uint64_t> read_varints(const ProtobufField& field) {
  if (!field.is_bytes) return {field.value};
  std::vector<std::uint64_t> values;
  std::uint64_t value = 0;
  unsigned shift = 0;
  for (const char c : field.bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (shift < 64) value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
    shift += 7;
    if ((byte & 0x80U) != 0) continue;
    values.push_back(value);
    value = 0;
    shift = 0;
  }
  if (shift != 0) values.push_back(value);
  return values;
}

}  // namespace quire::onnx
