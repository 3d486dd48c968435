#include "onnx_file/protobuf_reader.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace quire::onnx {
namespace {

enum WireType : std::uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

}  // namespace

bool ProtobufReader::next(ProtobufField* field) {
  if (rest_.empty()) return false;
  std::uint64_t tag = 0;
  if (!read_varint(&tag) || (tag >> 3U) == 0 || (tag >> 3U) > 0x1FFFFFFFU) return stop_damaged();
  *field = {};
  field->number = static_cast<std::uint32_t>(tag >> 3U);
  std::uint64_t length = 0;
  switch (static_cast<std::uint32_t>(tag & 7U)) {
    case kVarint:
      return read_varint(&field->value) || stop_damaged();
    case kFixed64:
      return take_fixed(8, field) || stop_damaged();
    case kFixed32:
      return take_fixed(4, field) || stop_damaged();
    case kBytes:
      field->is_bytes = true;
      return (read_varint(&length) && take(length, &field->bytes)) || stop_damaged();
    default:
      return stop_damaged();
  }
}

bool ProtobufReader::read_varint(std::uint64_t* value) {
  *value = 0;
  for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    *value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
    if ((byte & 0x80U) == 0) return true;
  }
  return false;
}

bool ProtobufReader::take(std::uint64_t count, std::string_view* bytes) {
  if (count > rest_.size()) return false;
  *bytes = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return true;
}

bool ProtobufReader::take_fixed(std::uint64_t count, ProtobufField* field) {
  if (!take(count, &field->bytes)) return false;
  for (std::size_t i = count; i > 0; --i) {
    field->value = field->value << 8U | static_cast<unsigned char>(field->bytes[i - 1]);
  }
  return true;
}

bool ProtobufReader::stop_damaged() {
  damaged_ = true;
  rest_ = {};
  return false;
}

}  // namespace quire::onnx
