#include <string_view>

#include "base/check.h"
#include "fuzz/fuzz_bodies.h"
#include "fuzz/temp_folder.h"
#include "package/model_package.h"

namespace quire::fuzz {

void model_info(std::string_view input) {
  static const TempFolder folder;
  folder.write("model_info.json", input);
  const auto package = open_package(folder.path());
  if (!package) {
    QUIRE_CHECK(package.error().code() == StatusCode::kBadModel, "the file is to blame");
    QUIRE_CHECK(package.error().message().find('\n') == std::string::npos, "one line says why");
    return;
  }
  QUIRE_CHECK(package->vocab_size > 0 && package->max_seq_len > 0, "sizes are positive");
  QUIRE_CHECK(package->cache_layers.size() == static_cast<std::size_t>(package->num_layers),
              "each layer has its cache");
  for (const TokenId id : package->eos_ids) {
    QUIRE_CHECK(id >= 0 && id < package->vocab_size, "ids are in the vocabulary");
  }
}

}  // namespace quire::fuzz
