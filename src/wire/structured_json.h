#pragma once

#include <string_view>
#include <vector>

#include "quire/generate_request.h"
#include "quire/result.h"

namespace quire::wire {

// The fields in which a request asks for structured output: OpenAI's response_format, vLLM's
// structured_outputs and its older guided_json, guided_regex, guided_choice and guided_grammar,
// llama.cpp's grammar and json_schema.
const std::vector<std::string_view>& structured_field_names();

// Reads one of them, `raw` the text of its value, which has the order of a schema's properties;
// false for any other name. At most one of a request's may ask for something.
Result<bool> read_structured_field(std::string_view name,
                                   std::string_view raw,
                                   GenerateRequest* request);

}  // namespace quire::wire
