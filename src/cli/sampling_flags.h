#pragma once

#include "quire/llm.h"
#include "quire/sampling_params.h"

namespace CLI {
class App;
}

namespace quire::cli {

// Adds the sampling options, with the values in `params` as their defaults.
void add_sampling_flags(CLI::App* command, SamplingParams* params);

// The parameters that the package recommends, with what was given on the command line in their
// place.
SamplingParams recommended_or_given(const CLI::App& command,
                                    const SamplingParams& given,
                                    const Llm& llm);

}  // namespace quire::cli
