#pragma once

#include <string>
#include <vector>

#include "quire/sampling_params.h"
#include "quire/status.h"

namespace CLI {
class App;
}

namespace quire::cli {

// What the answers must follow, as the command line asks for it; one of them at most.
struct ConstraintFlags {
  std::string json_schema;  // a file, or the schema itself
  std::string regex;
  std::string grammar;  // a file
  std::vector<std::string> choices;
};

void add_constraint_flags(CLI::App* command, ConstraintFlags* flags);

// Sets what was asked for. Fails with kBadModel when a file cannot be read.
Status apply(const ConstraintFlags& flags, SamplingParams* params);

}  // namespace quire::cli
