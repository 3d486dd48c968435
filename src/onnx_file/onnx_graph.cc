#include "onnx_file/onnx_graph.h"

#include <bit>
#include <cstring>
#include <functional>
#include <utility>

#include "base/file.h"
#include "onnx_file/protobuf_reader.h"
#include "onnx_file/varints.h"

namespace quire::onnx {
namespace {

// Field numbers of onnx.proto (onnx 1.23).
enum ModelField : std::uint32_t { kModelGraph = 7 };
enum GraphField : std::uint32_t {
  kGraphNode = 1,
  kGraphInitializer = 5,
  kGraphInput = 11,
  kGraphOutput = 12
};
enum NodeField : std::uint32_t {
  kNodeInput = 1,
  kNodeOutput = 2,
  kNodeName = 3,
  kNodeOpType = 4,
  kNodeAttribute = 5,
  kNodeDomain = 7
};
enum AttributeField : std::uint32_t {
  kAttributeName = 1,
  kAttributeFloat = 2,
  kAttributeInt = 3,
  kAttributeString = 4,
  kAttributeTensor = 5,
  kAttributeGraph = 6,
  kAttributeFloats = 7,
  kAttributeInts = 8,
  kAttributeGraphs = 11,
  kAttributeType = 20
};
// AttributeProto.AttributeType
enum AttributeType : std::uint64_t {
  kTypeFloat = 1,
  kTypeInt,
  kTypeString,
  kTypeTensor,
  kTypeFloats = 6,
  kTypeInts
};

constexpr std::uint64_t kMaxModelBytes = std::uint64_t{2} << 30U;

using OnField = std::function<Status(const ProtobufField&)>;

Status for_each_field(std::string_view message, const OnField& on_field) {
  ProtobufReader reader(message);
  ProtobufField field;
  while (reader.next(&field)) QUIRE_TRY(on_field(field));
  return reader.damaged() ? bad_model("the graph is damaged") : ok_status();
}

float float_of(std::uint64_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
}

std::vector<float> read_floats(const ProtobufField& field) {
  if (!field.is_bytes) return {float_of(field.value)};
  std::vector<float> values(field.bytes.size() / sizeof(float));
  std::memcpy(values.data(), field.bytes.data(), values.size() * sizeof(float));
  return values;
}

// An attribute's fields; which of them counts is said by its type, which older writers leave out.
struct AttributeFields {
  std::uint64_t type = 0;
  std::int64_t integer = 0;
  float number = 0;
  std::string text;
  std::vector<std::int64_t> integers;
  std::vector<float> numbers;
  std::string_view tensor;
};

Status read_attribute_field(const ProtobufField& field,
                            OnnxAttribute* out,
                            AttributeFields* fields) {
  std::uint64_t implied = 0;
  switch (field.number) {
    case kAttributeName:
      out->name = std::string(field.bytes);
      break;
    case kAttributeFloat:
      fields->number = float_of(field.value);
      implied = kTypeFloat;
      break;
    case kAttributeInt:
      fields->integer = static_cast<std::int64_t>(field.value);
      implied = kTypeInt;
      break;
    case kAttributeString:
      fields->text = std::string(field.bytes);
      implied = kTypeString;
      break;
    case kAttributeTensor:
      fields->tensor = field.bytes;
      implied = kTypeTensor;
      break;
    case kAttributeFloats:
      for (const float value : read_floats(field)) fields->numbers.push_back(value);
      implied = kTypeFloats;
      break;
    case kAttributeInts:
      for (const std::uint64_t value : read_varints(field)) {
        fields->integers.push_back(static_cast<std::int64_t>(value));
      }
      implied = kTypeInts;
      break;
    case kAttributeGraph:
    case kAttributeGraphs:
      return bad_model("the graph has graphs inside its nodes, which no paged graph has");
    case kAttributeType:
      fields->type = field.value;
      break;
    default:
      break;
  }
  if (fields->type == 0) fields->type = implied;
  return ok_status();
}

Result<OnnxAttribute> read_attribute(std::string_view message) {
  OnnxAttribute attribute;
  AttributeFields fields;
  QUIRE_TRY(for_each_field(message, [&](const ProtobufField& field) {
    return read_attribute_field(field, &attribute, &fields);
  }));
  switch (fields.type) {
    case kTypeFloat:
      attribute.value = fields.number;
      break;
    case kTypeInt:
      attribute.value = fields.integer;
      break;
    case kTypeString:
      attribute.value = std::move(fields.text);
      break;
    case kTypeTensor: {
      QUIRE_ASSIGN(attribute.value, read_onnx_tensor(fields.tensor));
      break;
    }
    case kTypeFloats:
      attribute.value = std::move(fields.numbers);
      break;
    case kTypeInts:
      attribute.value = std::move(fields.integers);
      break;
    default:
      break;
  }
  return attribute;
}

Result<OnnxNode> read_node(std::string_view message) {
  OnnxNode node;
  QUIRE_TRY(for_each_field(message, [&node](const ProtobufField& field) -> Status {
    switch (field.number) {
      case kNodeInput:
        node.inputs.emplace_back(field.bytes);
        break;
      case kNodeOutput:
        node.outputs.emplace_back(field.bytes);
        break;
      case kNodeName:
        node.name = std::string(field.bytes);
        break;
      case kNodeOpType:
        node.op_type = std::string(field.bytes);
        break;
      case kNodeDomain:
        node.domain = std::string(field.bytes);
        break;
      case kNodeAttribute: {
        QUIRE_ASSIGN(OnnxAttribute attribute, read_attribute(field.bytes));
        node.attributes.push_back(std::move(attribute));
        break;
      }
      default:
        break;
    }
    return ok_status();
  }));
  return node;
}

// ValueInfoProto > TypeProto > Tensor > TensorShapeProto > Dimension.
Status read_shape(std::string_view message, std::vector<std::int64_t>* shape) {
  return for_each_field(message, [shape](const ProtobufField& field) -> Status {
    if (field.number != 1) return ok_status();
    shape->push_back(-1);
    return for_each_field(field.bytes, [shape](const ProtobufField& dim) -> Status {
      if (dim.number == 1) shape->back() = static_cast<std::int64_t>(dim.value);
      return ok_status();
    });
  });
}

Result<OnnxValue> read_value(std::string_view message) {
  OnnxValue value;
  QUIRE_TRY(for_each_field(message, [&value](const ProtobufField& field) -> Status {
    if (field.number == 1) value.name = std::string(field.bytes);
    if (field.number != 2) return ok_status();
    return for_each_field(field.bytes, [&value](const ProtobufField& type) -> Status {
      if (type.number != 1) return ok_status();
      return for_each_field(type.bytes, [&value](const ProtobufField& tensor) -> Status {
        if (tensor.number == 1) value.data_type = static_cast<int>(tensor.value & 0xFFU);
        return tensor.number == 2 ? read_shape(tensor.bytes, &value.shape) : ok_status();
      });
    });
  }));
  return value;
}

Status read_graph(std::string_view message, OnnxGraph* graph) {
  return for_each_field(message, [graph](const ProtobufField& field) -> Status {
    switch (field.number) {
      case kGraphNode: {
        QUIRE_ASSIGN(OnnxNode node, read_node(field.bytes));
        graph->nodes.push_back(std::move(node));
        break;
      }
      case kGraphInitializer: {
        QUIRE_ASSIGN(OnnxTensor tensor, read_onnx_tensor(field.bytes));
        graph->initializers.push_back(std::move(tensor));
        break;
      }
      case kGraphInput: {
        QUIRE_ASSIGN(OnnxValue value, read_value(field.bytes));
        graph->inputs.push_back(std::move(value));
        break;
      }
      case kGraphOutput: {
        QUIRE_ASSIGN(OnnxValue value, read_value(field.bytes));
        graph->outputs.push_back(std::move(value));
        break;
      }
      default:
        break;
    }
    return ok_status();
  });
}

}  // namespace

Result<OnnxGraph> read_onnx_graph(const std::filesystem::path& model_file) {
  QUIRE_ASSIGN(const std::string model, read_file(model_file, kMaxModelBytes));
  OnnxGraph graph;
  const Status status = for_each_field(model, [&graph](const ProtobufField& field) -> Status {
    return field.number == kModelGraph ? read_graph(field.bytes, &graph) : ok_status();
  });
  QUIRE_TRY(status.with_context(model_file.string()));
  return graph;
}

}  // namespace quire::onnx
