#include <bit>
#include <charconv>
#include <cstring>
#include <optional>
#include <span>

#include "onnx_file/onnx_graph.h"
#include "onnx_file/protobuf_reader.h"
#include "onnx_file/varints.h"

namespace quire::onnx {
namespace {

// Field numbers of onnx.proto's TensorProto.
enum TensorField : std::uint32_t {
  kDims = 1,
  kDataType = 2,
  kFloatData = 4,
  kInt32Data = 5,
  kStringData = 6,
  kInt64Data = 7,
  kName = 8,
  kRawData = 9,
  kDoubleData = 10,
  kUint64Data = 11,
  kExternalData = 13
};

Status damaged() { return bad_model("a tensor of the graph is damaged"); }

std::size_t element_bytes(int data_type) {
  switch (static_cast<DataType>(data_type)) {
    case DataType::kUint8:
    case DataType::kInt8:
    case DataType::kBool:
      return 1;
    case DataType::kFloat16:
    case DataType::kBfloat16:
      return 2;
    case DataType::kFloat:
    case DataType::kInt32:
      return 4;
    case DataType::kInt64:
      return 8;
    case DataType::kUndefined:
      break;
  }
  return 0;
}

// The low `width` bytes of each number, one after another: the typed fields hold small integers and
// 16-bit floats as int32.
void append_numbers(std::span<const std::uint64_t> numbers,
                    std::size_t width,
                    std::vector<std::byte>* data) {
  for (const std::uint64_t number : numbers) {
    for (std::size_t i = 0; i < width; ++i) {
      data->push_back(static_cast<std::byte>(number >> (8 * i)));
    }
  }
}

void append_bytes(std::string_view bytes, std::vector<std::byte>* data) {
  const auto* begin = reinterpret_cast<const std::byte*>(bytes.data());
  data->insert(data->end(), begin, begin + bytes.size());
}

Status read_external(std::string_view entry, OnnxTensor* tensor) {
  ProtobufReader reader(entry);
  ProtobufField field;
  std::string_view key;
  std::string_view value;
  while (reader.next(&field)) {
    if (field.number == 1) key = field.bytes;
    if (field.number == 2) value = field.bytes;
  }
  if (key == "location") tensor->location = std::string(value);
  std::uint64_t* number = nullptr;
  if (key == "offset") number = &tensor->offset;
  if (key == "length") number = &tensor->length;
  if (number == nullptr) return reader.damaged() ? damaged() : ok_status();
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), *number);
  return error == std::errc() && end == value.data() + value.size() ? ok_status() : damaged();
}

Status read_field(const ProtobufField& field, OnnxTensor* tensor) {
  const auto numbers = [&field] { return read_varints(field); };
  switch (field.number) {
    case kDims:
      for (const std::uint64_t dim : numbers()) {
        tensor->dims.push_back(static_cast<std::int64_t>(dim));
      }
      return ok_status();
    case kDataType:
      tensor->data_type = field.value <= 255 ? static_cast<int>(field.value) : 255;
      return ok_status();
    case kName:
      tensor->name = std::string(field.bytes);
      return ok_status();
    case kRawData:
      append_bytes(field.bytes, &tensor->data);
      return ok_status();
    case kFloatData:
      if (field.is_bytes) {
        append_bytes(field.bytes, &tensor->data);
      } else {
        append_numbers({&field.value, 1}, 4, &tensor->data);
      }
      return ok_status();
    case kInt32Data:
      append_numbers(numbers(), element_bytes(tensor->data_type), &tensor->data);
      return ok_status();
    case kInt64Data:
      append_numbers(numbers(), 8, &tensor->data);
      return ok_status();
    case kStringData:
    case kDoubleData:
    case kUint64Data:
      return bad_model(
          "the tensor " + tensor->name.substr(0, 200) +
          " holds strings, doubles or unsigned 64-bit numbers, which no operator takes");
    case kExternalData:
      return read_external(field.bytes, tensor);
    default:
      return ok_status();
  }
}

std::optional<std::uint64_t> expected_bytes(const OnnxTensor& tensor) {
  std::uint64_t bytes = element_bytes(tensor.data_type);
  for (const std::int64_t dim : tensor.dims) {
    std::uint64_t product = 0;
    if (dim < 0 || __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(dim), &product)) {
      return std::nullopt;
    }
    bytes = product;
  }
  return bytes;
}

}  // namespace

Result<OnnxTensor> read_onnx_tensor(std::string_view message) {
  OnnxTensor tensor;
  // The type comes first in what follows, wherever it stands in the message.
  for (const bool only_type : {true, false}) {
    ProtobufReader reader(message);
    ProtobufField field;
    while (reader.next(&field)) {
      if ((field.number == kDataType) == only_type) QUIRE_TRY(read_field(field, &tensor));
    }
    if (reader.damaged()) return damaged();
  }
  const std::string who = "the tensor " + tensor.name.substr(0, 200);
  if (element_bytes(tensor.data_type) == 0) {
    return bad_model(who + " has ONNX's element type " + std::to_string(tensor.data_type) +
                     ", which no operator takes");
  }
  const auto bytes = expected_bytes(tensor);
  if (!bytes || (tensor.location.empty() && tensor.data.size() != *bytes)) {
    return bad_model(who + " has another size than its shape says");
  }
  if (!tensor.location.empty() && tensor.length == 0) tensor.length = *bytes;
  if (!tensor.location.empty() && tensor.length != *bytes) {
    return bad_model(who + " has another size than its shape says");
  }
  return tensor;
}

}  // namespace quire::onnx
