#include "onnx_file/onnx_inspect.h"

#include <charconv>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/file.h"
#include "onnx_file/protobuf_reader.h"
#include "quire/result.h"

namespace quire::onnx {
namespace {

// Field numbers of onnx.proto (onnx 1.23).
enum ModelField : std::uint32_t { kModelGraph = 7, kModelOpset = 8, kModelFunctions = 25 };
enum GraphField : std::uint32_t { kGraphNode = 1, kGraphInitializer = 5, kGraphSparse = 15 };
enum NodeField : std::uint32_t { kNodeOpType = 4, kNodeAttribute = 5, kNodeDomain = 7 };
enum AttributeField : std::uint32_t {
  kAttributeTensor = 5,
  kAttributeGraph = 6,
  kAttributeTensors = 10,
  kAttributeGraphs = 11
};
enum TensorField : std::uint32_t {
  kTensorDims = 1,
  kTensorDataType = 2,
  kTensorName = 8,
  kTensorExternalData = 13,
  kTensorDataLocation = 14
};

constexpr std::uint64_t kMaxModelBytes = std::uint64_t{2} << 30U;
constexpr int kMaxNodes = 200'000;
constexpr int kMaxGraphDepth = 8;

// Bytes an element of onnx.TensorProto.DataType takes; 0 for types we do not load from outside
// files.
std::uint64_t element_bytes(std::uint64_t data_type) {
  switch (data_type) {
    case 2:
    case 3:
    case 9:
      return 1;  // uint8, int8, bool
    case 4:
    case 5:
    case 10:
    case 16:
      return 2;  // uint16, int16, float16, bfloat16
    case 1:
    case 6:
    case 12:
      return 4;  // float, int32, uint32
    case 7:
    case 11:
    case 13:
      return 8;  // int64, double, uint64
    default:
      return 0;
  }
}

class Inspector {
 public:
  explicit Inspector(const std::filesystem::path& model_file)
      : file_(model_file), folder_(model_file.parent_path()) {}

  Status check_model(std::string_view model);

 private:
  using OnField = std::function<Status(const ProtobufField&)>;

  Status refuse(const std::string& why) const { return bad_model(file_.string() + " " + why); }
  Status for_each_field(std::string_view message, const OnField& on_field) const;
  Status check_opset(std::string_view opset);
  Status check_domain(std::string_view domain) const;
  Status check_graph(std::string_view graph, int depth);
  Status check_node(std::string_view node, int depth);
  Status check_attribute(std::string_view attribute, int depth);
  Status check_tensor(std::string_view tensor);
  Status check_external(std::string_view name,
                        const std::vector<std::string_view>& entries,
                        std::uint64_t expected_bytes) const;
  Status check_location(const std::string& location,
                        std::uint64_t offset,
                        std::uint64_t length) const;

  std::filesystem::path file_;
  std::filesystem::path folder_;
  int num_nodes_ = 0;
  bool has_graph_ = false;
};

Status Inspector::for_each_field(std::string_view message, const OnField& on_field) const {
  ProtobufReader reader(message);
  ProtobufField field;
  while (reader.next(&field)) QUIRE_TRY(on_field(field));
  return reader.damaged() ? refuse("is damaged: it is not a serialized ONNX model") : ok_status();
}

Status Inspector::check_model(std::string_view model) {
  QUIRE_TRY(for_each_field(model, [this](const ProtobufField& field) -> Status {
    switch (field.number) {
      case kModelGraph:
        has_graph_ = true;
        return check_graph(field.bytes, 0);
      case kModelOpset:
        return check_opset(field.bytes);
      case kModelFunctions:
        return refuse("has model-local functions, which are not supported");
      default:
        return ok_status();
    }
  }));
  return has_graph_ ? ok_status() : refuse("holds no graph: it is empty or not an ONNX model");
}

Status Inspector::check_opset(std::string_view opset) {
  return for_each_field(opset, [this](const ProtobufField& field) -> Status {
    return field.number == 1 ? check_domain(field.bytes) : ok_status();
  });
}

Status Inspector::check_domain(std::string_view domain) const {
  for (const std::string_view known : {"", "ai.onnx", "com.microsoft", "quire"}) {
    if (domain == known) return ok_status();
  }
  return refuse("uses operators of the domain \"" + std::string(domain.substr(0, 64)) +
                "\"; known are ai.onnx, com.microsoft and quire");
}

Status Inspector::check_graph(std::string_view graph, int depth) {
  if (depth > kMaxGraphDepth) return refuse("nests graphs too deep");
  return for_each_field(graph, [this, depth](const ProtobufField& field) -> Status {
    switch (field.number) {
      case kGraphNode:
        return check_node(field.bytes, depth);
      case kGraphInitializer:
        return check_tensor(field.bytes);
      case kGraphSparse:
        return refuse("has sparse weights, which are not supported");
      default:
        return ok_status();
    }
  });
}

Status Inspector::check_node(std::string_view node, int depth) {
  if (++num_nodes_ > kMaxNodes) {
    return refuse("has more than " + std::to_string(kMaxNodes) + " nodes");
  }
  return for_each_field(node, [this, depth](const ProtobufField& field) -> Status {
    if (field.number == kNodeDomain) return check_domain(field.bytes);
    if (field.number == kNodeAttribute) return check_attribute(field.bytes, depth);
    return ok_status();
  });
}

Status Inspector::check_attribute(std::string_view attribute, int depth) {
  return for_each_field(attribute, [this, depth](const ProtobufField& field) -> Status {
    switch (field.number) {
      case kAttributeTensor:
      case kAttributeTensors:
        return check_tensor(field.bytes);
      case kAttributeGraph:
      case kAttributeGraphs:
        return check_graph(field.bytes, depth + 1);
      default:
        return ok_status();
    }
  });
}

// Multiplies a size by a count from a file; false when the product does not fit.
bool multiply(std::uint64_t count, std::uint64_t* size) {
  if (count != 0 && *size > std::numeric_limits<std::uint64_t>::max() / count) return false;
  *size *= count;
  return true;
}

// Dimensions come one a field or packed into one byte string of varints.
bool multiply_dims(const ProtobufField& field, std::uint64_t* size) {
  if (!field.is_bytes) return multiply(field.value, size);
  std::string_view rest = field.bytes;
  while (!rest.empty()) {
    std::uint64_t dim = 0;
    unsigned shift = 0;
    while (!rest.empty() && shift < 64) {
      const auto byte = static_cast<unsigned char>(rest.front());
      rest.remove_prefix(1);
      dim |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      shift += 7;
      if ((byte & 0x80U) == 0) break;
    }
    if (!multiply(dim, size)) return false;
  }
  return true;
}

Status Inspector::check_tensor(std::string_view tensor) {
  std::string_view name;
  std::uint64_t data_type = 0;
  std::uint64_t num_elements = 1;
  bool external = false;
  std::vector<std::string_view> entries;
  QUIRE_TRY(for_each_field(tensor, [&](const ProtobufField& field) -> Status {
    if (field.number == kTensorName) name = field.bytes.substr(0, 200);
    if (field.number == kTensorDataType) data_type = field.value;
    if (field.number == kTensorDataLocation) external = field.value == 1;
    if (field.number == kTensorExternalData) entries.push_back(field.bytes);
    if (field.number == kTensorDims && !multiply_dims(field, &num_elements)) {
      return refuse("has a weight whose shape is too large");
    }
    return ok_status();
  }));
  if (!external && entries.empty()) return ok_status();
  if (element_bytes(data_type) == 0) {
    return refuse("keeps the weight " + std::string(name) + " outside in an unsupported type");
  }
  if (!multiply(element_bytes(data_type), &num_elements)) {
    return refuse("has a weight whose shape is too large");
  }
  return check_external(name, entries, num_elements);
}

bool parse_number(std::string_view text, std::uint64_t* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

Status Inspector::check_external(std::string_view name,
                                 const std::vector<std::string_view>& entries,
                                 std::uint64_t expected_bytes) const {
  std::string location;
  std::uint64_t offset = 0;
  std::uint64_t length = expected_bytes;
  bool numbers_ok = true;
  for (const std::string_view entry : entries) {
    std::string_view key;
    std::string_view value;
    QUIRE_TRY(for_each_field(entry, [&](const ProtobufField& field) -> Status {
      if (field.number == 1) key = field.bytes;
      if (field.number == 2) value = field.bytes;
      return ok_status();
    }));
    if (key == "location") location = std::string(value);
    if (key == "offset") numbers_ok = parse_number(value, &offset) && numbers_ok;
    if (key == "length") numbers_ok = parse_number(value, &length) && numbers_ok;
  }
  if (!numbers_ok || length != expected_bytes) {
    return refuse("gives the weight " + std::string(name) +
                  " an outside place that does not match its shape");
  }
  return check_location(location, offset, length);
}

Status Inspector::check_location(const std::string& location,
                                 std::uint64_t offset,
                                 std::uint64_t length) const {
  const bool plain = !location.empty() && location.find_first_of("/\\:*") == std::string::npos &&
                     location.find('\0') == std::string::npos && location.front() != '.';
  if (!plain) {
    return refuse("keeps weights at \"" + location.substr(0, 200) +
                  "\"; only a file beside the model is allowed");
  }
  const std::filesystem::path path = folder_ / location;
  std::error_code error;
  const auto status = std::filesystem::symlink_status(path, error);
  if (!std::filesystem::exists(status)) {
    return bad_model(path.string() + " is missing; export or copy the package again");
  }
  if (!std::filesystem::is_regular_file(status)) {
    return bad_model(path.string() + " is not a plain file (a link or a folder)");
  }
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (error || offset > size || length > size - offset) {
    return bad_model(path.string() + " is shorter than the weights that " +
                     file_.filename().string() + " keeps in it");
  }
  return ok_status();
}

}  // namespace

Status inspect_onnx(const std::filesystem::path& model_file) {
  QUIRE_ASSIGN(const std::string model, read_file(model_file, kMaxModelBytes));
  return Inspector(model_file).check_model(model);
}

}  // namespace quire::onnx
