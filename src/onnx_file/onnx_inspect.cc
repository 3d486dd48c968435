#include "onnx_file/onnx_inspect.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/checked_size.h"
#include "base/file.h"
#include "onnx_file/constant_growth.h"
#include "onnx_file/protobuf_reader.h"
#include "onnx_file/varints.h"
#include "quire/result.h"

namespace quire::onnx {
namespace {

// Field numbers of onnx.proto (onnx 1.23).
enum ModelField : std::uint32_t {
  kModelGraph = 7,
  kModelOpset = 8,
  kModelTraining = 20,
  kModelFunctions = 25
};
enum GraphField : std::uint32_t { kGraphNode = 1, kGraphInitializer = 5, kGraphSparse = 15 };
enum NodeField : std::uint32_t {
  kNodeInput = 1,
  kNodeOutput = 2,
  kNodeOpType = 4,
  kNodeAttribute = 5,
  kNodeDomain = 7
};
enum AttributeField : std::uint32_t {
  kAttributeName = 1,
  kAttributeFloat = 2,
  kAttributeInt = 3,
  kAttributeTensor = 5,
  kAttributeGraph = 6,
  kAttributeFloats = 7,
  kAttributeInts = 8,
  kAttributeTensors = 10,
  kAttributeGraphs = 11,
  kAttributeSparse = 22,
  kAttributeSparses = 23
};
enum TensorField : std::uint32_t {
  kTensorDims = 1,
  kTensorDataType = 2,
  kTensorName = 8,
  kTensorExternalData = 13,
  kTensorDataLocation = 14
};

constexpr std::uint64_t kMaxModelBytes = std::uint64_t{2} << 30U;
// A model of 100 layers has some ten thousand. The runtime's time for a chain of constants grows
// with the square of its length: this many take three seconds.
constexpr int kMaxNodes = 30'000;
// Operators that run a graph of theirs as often as a number says, which may be any.
constexpr std::array<std::string_view, 3> kUnbounded = {"Loop", "Scan", "SequenceMap"};
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
  Status check_attribute(std::string_view attribute, int depth, GrowthNode* node);
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
  ConstantGrowth growth_;
};

Status Inspector::for_each_field(std::string_view message, const OnField& on_field) const {
  ProtobufReader reader(message);
  ProtobufField field;
  while (reader.next(&field)) QUIRE_TRY(on_field(field));
  return reader.damaged() ? refuse("is damaged: it is not a serialized ONNX model") : ok_status();
}

// The bytes of a message's last field of a number, as names are.
std::string_view field_text(std::string_view message, std::uint32_t number) {
  std::string_view text;
  ProtobufReader reader(message);
  ProtobufField field;
  while (reader.next(&field)) {
    if (field.number == number) text = field.bytes;
  }
  return text;
}

Status Inspector::check_model(std::string_view model) {
  QUIRE_TRY(for_each_field(model, [this](const ProtobufField& field) -> Status {
    switch (field.number) {
      case kModelGraph:
        has_graph_ = true;
        return check_graph(field.bytes, 0);
      case kModelOpset:
        return check_opset(field.bytes);
      case kModelTraining:
        return refuse("has graphs for training, which are not supported");
      case kModelFunctions:
        return refuse("has model-local functions, which are not supported");
      default:
        return ok_status();
    }
  }));
  if (!has_graph_) return refuse("holds no graph: it is empty or not an ONNX model");
  if (const std::string_view op = growth_.find_excess(); !op.empty()) {
    return refuse(
        "computes constants that take more than 1 GiB, or nobody can tell how much, by its " +
        std::string(op.substr(0, 64)) + "; export it with its constants folded");
  }
  return ok_status();
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
        growth_.add_initializer(field_text(field.bytes, kTensorName), field.bytes);
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
  GrowthNode growth;
  QUIRE_TRY(for_each_field(node, [this, depth, &growth](const ProtobufField& field) -> Status {
    switch (field.number) {
      case kNodeInput:
        growth.inputs.push_back(field.bytes);
        return ok_status();
      case kNodeOutput:
        growth.outputs.push_back(field.bytes);
        return ok_status();
      case kNodeOpType:
        growth.op_type = field.bytes;
        return ok_status();
      case kNodeDomain:
        return check_domain(field.bytes);
      case kNodeAttribute:
        return check_attribute(field.bytes, depth, &growth);
      default:
        return ok_status();
    }
  }));
  if (std::ranges::find(kUnbounded, growth.op_type) != kUnbounded.end()) {
    return refuse("has a " + std::string(growth.op_type) +
                  ", which may run without end; export it as a graph without loops");
  }
  growth_.add_node(std::move(growth));
  return ok_status();
}

Status Inspector::check_attribute(std::string_view attribute, int depth, GrowthNode* node) {
  const std::string_view name = field_text(attribute, kAttributeName);
  return for_each_field(attribute, [this, depth, name, node](const ProtobufField& field) -> Status {
    switch (field.number) {
      case kAttributeInt:
        node->numbers[name].push_back(static_cast<double>(static_cast<std::int64_t>(field.value)));
        return ok_status();
      case kAttributeInts:
        for (const std::uint64_t value : read_varints(field)) {
          node->numbers[name].push_back(static_cast<double>(static_cast<std::int64_t>(value)));
        }
        return ok_status();
      case kAttributeFloat:
        node->numbers[name].push_back(
            std::bit_cast<float>(static_cast<std::uint32_t>(field.value)));
        return ok_status();
      case kAttributeSparse:
      case kAttributeSparses:
        return refuse("has sparse weights, which are not supported");
      case kAttributeTensor:
        node->tensor = field.bytes;
        return check_tensor(field.bytes);
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
  const auto product = checked_product({*size, count});
  if (product) *size = *product;
  return product.has_value();
}

bool multiply_dims(const ProtobufField& field, std::uint64_t* size) {
  return std::ranges::all_of(read_varints(field),
                             [size](std::uint64_t dim) { return multiply(dim, size); });
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
  QUIRE_TRY(check_stays_with_model(path, folder_, file_));
  std::error_code error;
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
