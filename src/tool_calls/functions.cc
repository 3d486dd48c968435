#include "tool_calls/functions.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"

namespace quire::tool_calls {
namespace {

using nlohmann::json;

std::vector<std::string> types_of(const json& schema) {
  std::vector<std::string> types;
  const auto found = schema.is_object() ? schema.find("type") : schema.end();
  if (!schema.is_object() || found == schema.end()) return types;
  if (found->is_string()) types.push_back(found->get<std::string>());
  if (!found->is_array()) return types;
  for (const json& each : *found) {
    if (each.is_string()) types.push_back(each.get<std::string>());
  }
  return types;
}

void read_parameters(const json& parameters, Function* function) {
  function->parameters_json = parameters.dump(-1, ' ', false, json::error_handler_t::replace);
  const auto properties = parameters.find("properties");
  if (properties == parameters.end() || !properties->is_object()) return;
  for (const auto& [name, schema] : properties->items()) function->types[name] = types_of(schema);
  if (function->types.size() != 1) return;
  const auto& [name, types] = *function->types.begin();
  if (types == std::vector<std::string>{"string"}) function->only_text = name;
}

}  // namespace

Result<FunctionList> FunctionList::parse(std::string_view tools_json) {
  FunctionList list;
  if (tools_json.empty()) return list;
  QUIRE_ASSIGN(const json tools, parse_json(tools_json, "tools"));
  if (!tools.is_array()) return invalid_argument("tools must be a list");
  for (const json& tool : tools) {
    const auto found = tool.is_object() ? tool.find("function") : tool.end();
    if (!tool.is_object() || found == tool.end() || !found->is_object()) continue;
    const auto name = found->find("name");
    if (name == found->end() || !name->is_string()) continue;
    Function function{.name = name->get<std::string>()};
    const auto parameters = found->find("parameters");
    if (parameters != found->end() && parameters->is_object()) {
      read_parameters(*parameters, &function);
    }
    list.functions_.push_back(std::move(function));
  }
  return list;
}

const Function* FunctionList::find(std::string_view name) const {
  const auto found = std::ranges::find(functions_, name, &Function::name);
  return found == functions_.end() ? nullptr : &*found;
}

}  // namespace quire::tool_calls
