#include <limits>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/json.h"
#include "fuzz/fuzz_bodies.h"
#include "quire/sampling_params.h"
#include "wire/openai_json.h"
#include "wire/output_json.h"
#include "wire/prompt_json.h"

namespace quire::fuzz {

void prompt_json(std::string_view input) {
  for (const bool chat : {false, true}) {
    const wire::PromptLine line = wire::parse_prompt_line(std::string(input), chat, {});
    RequestOutput output;
    output.error = line.request.error();
    if (!line.request) {
      QUIRE_CHECK(!output.error.message().empty(), "a refusal says why");
      QUIRE_CHECK(output.error.message().find('\n') == std::string::npos, "in one line");
    } else {
      // What the fields hold is judged where every request enters.
      static_cast<void>(validate(line.request->params, std::numeric_limits<int>::max()));
      output.outputs.emplace_back();
    }
    const std::string answer = line.form == wire::LineForm::kQuire
                                   ? wire::output_json(0, line.id_json, output)
                                   : wire::openai_batch_json(0, line, output, {});
    QUIRE_CHECK(parse_json(answer, "an answer", 80).has_value(), "an answer is JSON, its id too");
  }
}

}  // namespace quire::fuzz
