#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "quire/engine_snapshot.h"

namespace quire::server {

// A model's part of the answer of GET /debug/engine; openapi.json describes it.
nlohmann::ordered_json engine_view(const std::string& model, const EngineSnapshot& snapshot);

}  // namespace quire::server
