#pragma once

#include <string_view>
#include <vector>

namespace quire::openai {

// The description of the API that the server serves: openapi.json beside this, as it stands.
std::string_view openapi_json();

// What a reader of bodies knows: the fields of those that are sent to an endpoint. Readers refuse
// every other; the description must have the same.
struct EndpointFields {
  std::string_view path;
  std::vector<std::string_view> names;
};
const std::vector<EndpointFields>& endpoint_fields();

}  // namespace quire::openai
