#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/logged_exchange.h"

namespace quire::server {

// Spans of OpenTelemetry's protocol in its JSON form.

// Those of a request that is over: itself, and for each prompt its time in the queue, its prefill
// and its decoding, and the moment of each result of the engine's own tool. `end_ns`: when it
// ended, nanoseconds since 1970. Empty for one whose client says that it is not to be traced, and
// for one that asked no model.
std::vector<std::string> spans_of(const AccessRecord& record, std::uint64_t end_ns);

// The body of one POST.
std::string otlp_body(const std::vector<std::string>& spans);

}  // namespace quire::server
