#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mapped_file.h"
#include "kernels/workspace.h"
#include "onnx_file/onnx_graph.h"
#include "ops/tensor.h"

namespace quire::graph {

// The initializers of a graph while its model is built: tensors over the mapped files beside it and
// over the graph itself, both of which must outlive this.
class Initializers {
 public:
  // Maps the files. Fails with kBadModel where a tensor lies outside its file.
  static Result<Initializers> open(const onnx::OnnxGraph& graph,
                                   const std::filesystem::path& model_file);

  // Null for a name that is no initializer.
  const ops::Tensor* find(std::string_view name) const;

  // Gives memory back that nothing will look at again; parts of other memory are left alone.
  void drop(std::span<const std::byte> range) const;

 private:
  std::map<std::string, MappedFile> files_;
  std::unordered_map<std::string_view, ops::Tensor> tensors_;
};

// A copy of a tensor's elements in memory of their own, put behind `buffers`.
ops::Tensor copy_tensor(const ops::Tensor& tensor, std::vector<kernels::AlignedBuffer>* buffers);

}  // namespace quire::graph
