#include "runner/graph/initializers.h"

#include <cstring>
#include <utility>

#include "runner/graph/graph_operator.h"

namespace quire::graph {

Result<Initializers> Initializers::open(const onnx::OnnxGraph& graph,
                                        const std::filesystem::path& model_file) {
  Initializers made;
  for (const onnx::OnnxTensor& tensor : graph.initializers) {
    ops::Tensor view{.present = true};
    QUIRE_ASSIGN(view.type, element_type(tensor.data_type));
    const auto shape = ops::Shape::of(tensor.dims);
    if (!shape) return bad_model("the weight " + tensor.name + " has a shape that cannot be");
    view.shape = *shape;
    view.data = tensor.data.data();
    if (!tensor.location.empty()) {
      if (!made.files_.contains(tensor.location)) {
        QUIRE_ASSIGN(MappedFile file, MappedFile::open(model_file.parent_path() / tensor.location));
        made.files_.emplace(tensor.location, std::move(file));
      }
      const auto bytes = made.files_.at(tensor.location).bytes();
      if (tensor.offset > bytes.size() || tensor.length > bytes.size() - tensor.offset) {
        return bad_model("the weight " + tensor.name + " lies outside its file");
      }
      if (tensor.offset % ops::element_bytes(view.type) != 0) {
        return bad_model("the weight " + tensor.name + " does not begin at a whole element");
      }
      view.data = bytes.data() + tensor.offset;
    }
    if (!made.tensors_.emplace(tensor.name, view).second) {
      return bad_model("the weight " + tensor.name + " stands twice");
    }
  }
  return made;
}

const ops::Tensor* Initializers::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

void Initializers::drop(std::span<const std::byte> range) const {
  for (const auto& [name, file] : files_) {
    const auto bytes = file.bytes();
    const bool inside = std::less_equal<>()(bytes.data(), range.data()) &&
                        std::less<>()(range.data(), bytes.data() + bytes.size());
    if (inside) MappedFile::drop(range);
  }
}

ops::Tensor copy_tensor(const ops::Tensor& tensor, std::vector<kernels::AlignedBuffer>* buffers) {
  ops::Tensor copy = tensor;
  const auto bytes = tensor.bytes();
  buffers->emplace_back(std::max<std::size_t>(bytes.size(), 1));
  if (!bytes.empty()) std::memcpy(buffers->back().data(), bytes.data(), bytes.size());
  copy.data = buffers->back().data();
  return copy;
}

}  // namespace quire::graph
