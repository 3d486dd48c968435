#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace quire::onnx {

// One field of a protobuf message: its number, and a number or a byte string.
struct ProtobufField {
  std::uint32_t number = 0;
  bool is_bytes = false;
  std::uint64_t value = 0;  // of a varint, or the bits of a number of 4 or 8 bytes
  std::string_view bytes;
};

// Reads the fields of one serialized protobuf message in order, without a schema (the wire format
// of protobuf.dev/programming-guides/encoding). Never reads past the message.
class ProtobufReader {
 public:
  explicit ProtobufReader(std::string_view message) : rest_(message) {}

  // Reads the next field. False at the end of the message or where it is damaged.
  bool next(ProtobufField* field);

  // Whether next() stopped because the message is damaged.
  bool damaged() const { return damaged_; }

 private:
  bool read_varint(std::uint64_t* value);
  bool take(std::uint64_t count, std::string_view* bytes);
  bool take_fixed(std::uint64_t count, ProtobufField* field);
  bool stop_damaged();

  std::string_view rest_;
  bool damaged_ = false;
};

}  // namespace quire::onnx
