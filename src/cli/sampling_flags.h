#pragma once

#include "quire/sampling_params.h"

namespace CLI {
class App;
}

namespace quire::cli {

// Adds the sampling options, with the values in `params` as their defaults.
void add_sampling_flags(CLI::App* command, SamplingParams* params);

}  // namespace quire::cli
