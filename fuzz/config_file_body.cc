#include <string_view>

#include "base/check.h"
#include "cli/config_file.h"
#include "fuzz/fuzz_bodies.h"
#include "fuzz/temp_folder.h"

namespace quire::fuzz {

void config_file(std::string_view input) {
  static const TempFolder folder;
  const auto entries = cli::read_config_file(folder.write("quire.conf", input));
  if (!entries) {
    QUIRE_CHECK(entries.error().message().find('\n') == std::string::npos, "one line says why");
    return;
  }
  for (const cli::ConfigEntry& entry : *entries) {
    QUIRE_CHECK(!entry.name.empty() && !entry.value.empty(), "an entry has both its sides");
    QUIRE_CHECK(entry.value.find('\n') == std::string::npos, "and is one line");
  }
}

}  // namespace quire::fuzz
