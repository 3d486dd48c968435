#include <limits>
#include <string>
#include <string_view>

#include "base/check.h"
#include "fuzz/fuzz_bodies.h"
#include "quire/sampling_params.h"
#include "wire/prompt_json.h"

namespace quire::fuzz {

void prompt_json(std::string_view input) {
  for (const bool chat : {false, true}) {
    const auto prompt = wire::prompt_from_json(std::string(input), chat, {});
    if (!prompt) {
      QUIRE_CHECK(!prompt.error().message().empty(), "a refusal says why");
      QUIRE_CHECK(prompt.error().message().find('\n') == std::string::npos, "in one line");
      continue;
    }
    // What the fields hold is judged where every request enters.
    static_cast<void>(validate(prompt->params, std::numeric_limits<int>::max()));
  }
}

}  // namespace quire::fuzz
