#include "openai/openapi.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "openai/api_request.h"
#include "openai/messages_api.h"
#include "openai/responses_api.h"

namespace quire::openai {
namespace {

using nlohmann::json;

class OpenApiTest : public testing::Test {
 protected:
  // Follows references, and puts alternatives of objects together.
  json properties(const json& schema) const {
    if (schema.contains("$ref")) {
      const std::string ref = schema["$ref"];
      return properties(api_["components"]["schemas"][ref.substr(ref.rfind('/') + 1)]);
    }
    json all = schema.value("properties", json::object());
    for (const json& form : schema.value("anyOf", json::array())) all.update(properties(form));
    return all;
  }
  json properties_of(const std::string& path) const {
    return properties(
        api_["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]);
  }

  json api_ = json::parse(openapi_json());
};

// Something that is of a schema's type.
json sample_of(const json& schema) {
  if (schema.contains("const")) return schema["const"];
  if (schema.contains("enum")) return schema["enum"][0];
  if (schema.contains("anyOf")) return sample_of(schema["anyOf"][0]);
  if (schema.contains("$ref")) return json::object();
  const json type = !schema.contains("type")    ? json("null")
                    : schema["type"].is_array() ? schema["type"][0]
                                                : schema["type"];
  if (type == "string") return "text";
  if (type == "boolean") return false;
  if (type == "integer" || type == "number") return std::max(1, schema.value("minimum", 1));
  if (type == "array") return json::array();
  json object = json::object();
  for (const json& name : schema.value("required", json::array())) {
    object[name.get<std::string>()] = sample_of(schema["properties"][name.get<std::string>()]);
  }
  return object;
}

TEST_F(OpenApiTest, IsOfTheVersionThatIsBuilt) {
  EXPECT_EQ(api_["openapi"], "3.1.0");
  EXPECT_EQ(api_["info"]["version"], QUIRE_VERSION);
}

TEST_F(OpenApiTest, HasEveryFieldThatAReaderKnowsAndNoOther) {
  std::set<std::string> paths;
  for (const auto& [path, names] : endpoint_fields()) {
    std::set<std::string> described;
    const json fields = properties_of(std::string(path));
    for (const auto& [name, schema] : fields.items()) {
      described.insert(name);
    }
    EXPECT_EQ(described, std::set<std::string>(names.begin(), names.end())) << path;
    EXPECT_EQ(described.size(), names.size()) << path << " has a name twice";
    paths.insert(std::string(path));
  }
  for (const auto& [path, methods] : api_["paths"].items()) {
    EXPECT_EQ(methods.contains("post"), paths.contains(path)) << path;
  }
}

// The tables are what a reader looks at first: nothing stands in them that it does not know then.
TEST_F(OpenApiTest, EveryFieldIsUnderstoodByItsReader) {
  using Read = Result<ApiRequest> (*)(ApiBody);
  const std::vector<std::tuple<std::string, json, Read>> readers = {
      {"/v1/chat/completions",
       {{"messages", {{{"role", "user"}, {"content", "a"}}}}},
       [](ApiBody body) {
         return read_api_request(wire::LineForm::kOpenAiChat, std::move(body), {});
       }},
      {"/v1/completions",
       {{"prompt", "a"}},
       [](ApiBody body) {
         return read_api_request(wire::LineForm::kOpenAiCompletion, std::move(body), {});
       }},
      {"/v1/responses",
       {{"input", "a"}},
       [](ApiBody body) { return read_responses_request(std::move(body), {}, {}); }},
      {"/v1/messages",
       {{"messages", {{{"role", "user"}, {"content", "a"}}}}, {"max_tokens", 5}},
       [](ApiBody body) { return read_messages_request(std::move(body), {}, {}); }}};
  for (const auto& [path, body, read] : readers) {
    const json fields = properties_of(path);
    for (const auto& [name, schema] : fields.items()) {
      json asked = body;
      if (!asked.contains(name)) asked[name] = sample_of(schema);
      auto parsed = ApiBody::parse(asked.dump());
      ASSERT_TRUE(parsed);
      const auto request = read(*std::move(parsed));
      if (request) continue;
      const std::string& why = request.error().message();
      EXPECT_EQ(why.find("not known"), std::string::npos) << path << ": " << why;
      EXPECT_EQ(why.find("not in this version"), std::string::npos) << path << ": " << why;
    }
  }
}

}  // namespace
}  // namespace quire::openai
