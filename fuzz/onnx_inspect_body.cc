#include <string_view>

#include "base/check.h"
#include "fuzz/fuzz_bodies.h"
#include "fuzz/temp_folder.h"
#include "onnx_file/onnx_inspect.h"

namespace quire::fuzz {

void onnx_inspect(std::string_view input) {
  static const TempFolder folder;
  const Status status = onnx::inspect_onnx(folder.write("model.onnx", input));
  QUIRE_CHECK(status.ok() || status.code() == StatusCode::kBadModel, "the file is to blame");
  QUIRE_CHECK(status.message().find('\n') == std::string::npos, "one line says why");
}

}  // namespace quire::fuzz
