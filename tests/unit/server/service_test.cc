#include "server/service.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>

#include "openai/openapi.h"

namespace quire::server {
namespace {

using nlohmann::json;

// A path of the description with the names of its parameters taken out.
std::string pattern_of(std::string path) {
  for (std::size_t at = 0; (at = path.find('{', at)) != std::string::npos; ++at) {
    path.erase(at + 1, path.find('}', at) - at - 1);
  }
  return path;
}

TEST(ServiceTest, TheDescriptionHasEveryRouteAndNoOther) {
  std::set<std::pair<std::string, std::string>> described;
  const json api = json::parse(openai::openapi_json());
  for (const auto& [path, methods] : api["paths"].items()) {
    for (const auto& [method, operation] : methods.items()) {
      std::string upper = method;
      for (char& c : upper) c = static_cast<char>(std::toupper(c));
      described.emplace(upper, pattern_of(path));
    }
  }
  const auto routes = Service::route_list();
  EXPECT_EQ(described, decltype(described)(routes.begin(), routes.end()));
}

}  // namespace
}  // namespace quire::server
