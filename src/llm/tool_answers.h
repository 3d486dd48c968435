#pragma once

#include "quire/generate_request.h"
#include "quire/output.h"
#include "quire/prompt_encoder.h"
#include "quire/status.h"

namespace quire {

// Leaves the markers of calls in the text of a request that has tools.
void keep_tool_markers(const PromptEncoder& encoder, GenerateRequest* request);

// Holds the answer of a request that must begin with a call to the schemas of its functions. Fails
// with kInvalidArgument where it must follow something else as well.
Status constrain_call(const PromptEncoder& encoder, GenerateRequest* request);

// Takes the calls of the request's tools out of the texts of its answer. What a model thinks before
// it answers stays as it is.
void read_tool_calls(const PromptEncoder& encoder,
                     const GenerateRequest& request,
                     RequestOutput* output);

}  // namespace quire
