#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/raw_json.h"
#include "openai/responses_api.h"
#include "openai/responses_fields.h"

namespace quire::openai {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::int64_t kMaxTopLogprobs = 20;
constexpr std::size_t kMaxMetadata = 16;
constexpr std::size_t kMaxMetadataKey = 64;
constexpr std::size_t kMaxMetadataValue = 512;

Status not_here(const std::string& what) {
  return invalid_argument(what + " is not in this version; leave it out");
}

Status must_be(std::string_view name, std::string_view what) {
  return invalid_argument(std::string(name) + " must be " + std::string(what));
}

std::string text_field(const json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() || !found->is_string() ? "" : found->get<std::string>();
}

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// The text of a message's content: a string or a list of parts that are all text.
Result<std::string> read_content(const json& content) {
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array()) return must_be("input", "messages of text or of parts that are text");
  std::string text;
  for (const json& part : content) {
    if (!part.is_object()) return must_be("input", "messages of text or of parts that are text");
    const std::string type = text_field(part, "type");
    if (type != "input_text" && type != "output_text" && type != "text") {
      return not_here("input with a part of type " + (type.empty() ? "none" : type.substr(0, 40)));
    }
    if (!part.contains("text") || !part["text"].is_string()) {
      return must_be("input", "parts with a text each");
    }
    text += part["text"].get<std::string>();
  }
  return text;
}

// A call of an earlier answer: one of those of the assistant's message before it, or of a new one.
Status add_call(const json& item, json* messages) {
  for (const char* const name : {"call_id", "name", "arguments"}) {
    if (item.contains(name) && item[name].is_string()) continue;
    return must_be("input", "function_call items with call_id, name and arguments, all texts");
  }
  const bool joins = !messages->empty() && messages->back()["role"] == "assistant";
  if (!joins) messages->push_back({{"role", "assistant"}, {"content", ""}});
  messages->back()["tool_calls"].push_back(
      {{"id", item["call_id"]},
       {"type", "function"},
       {"function", {{"name", item["name"]}, {"arguments", item["arguments"]}}}});
  return ok_status();
}

Status add_output(const json& item, json* messages) {
  if (text_field(item, "call_id").empty() || !item.contains("output")) {
    return must_be("input", "function_call_output items with call_id and output");
  }
  QUIRE_ASSIGN(std::string output, read_content(item["output"]));
  messages->push_back(
      {{"role", "tool"}, {"tool_call_id", item["call_id"]}, {"content", std::move(output)}});
  return ok_status();
}

// An item of the input is a message, a call or its result, or the thoughts of an earlier answer,
// which no model reads again.
Status read_item(const json& item, json* messages) {
  if (!item.is_object()) return must_be("input", "a text or a list of items");
  const std::string type = item.contains("type") ? text_field(item, "type") : "message";
  if (type == "reasoning") return ok_status();
  if (type == "function_call") return add_call(item, messages);
  if (type == "function_call_output") return add_output(item, messages);
  if (type != "message") return not_here("input with an item of type " + type.substr(0, 40));
  for (const auto& [name, value] : item.items()) {
    constexpr std::array<std::string_view, 6> kKnown = {
        "type", "id", "role", "content", "status", "phase"};
    if (std::ranges::find(kKnown, name) != kKnown.end()) continue;
    return invalid_argument("input has a message with the field \"" + name.substr(0, 60) +
                            "\", which is not known; leave it out");
  }
  std::string role = text_field(item, "role");
  if (role == "developer") role = "system";  // the name that templates know
  if (role != "system" && role != "user" && role != "assistant") {
    return must_be("input", "messages of the role user, assistant, system or developer");
  }
  if (!item.contains("content")) return must_be("input", "messages with a content each");
  QUIRE_ASSIGN(std::string text, read_content(item["content"]));
  messages->push_back({{"role", std::move(role)}, {"content", std::move(text)}});
  return ok_status();
}

Status read_input(const json& body, json* messages, std::vector<std::string>* items) {
  const auto input = body.find("input");
  if (input == body.end() || input->is_null()) return must_be("input", "given");
  if (input->is_string()) {
    messages->push_back({{"role", "user"}, {"content", *input}});
    items->push_back(dump({{"type", "message"},
                           {"role", "user"},
                           {"content", {{{"type", "input_text"}, {"text", *input}}}}}));
    return ok_status();
  }
  if (!input->is_array()) return must_be("input", "a text or a list of items");
  const ApiLimits limits;
  if (input->size() > limits.messages) {
    return invalid_argument("input has " + std::to_string(input->size()) + " items, but may have " +
                            std::to_string(limits.messages));
  }
  for (const json& item : *input) {
    QUIRE_TRY(read_item(item, messages));
    json shown = item;
    shown["type"] = item.contains("type") ? item["type"] : json("message");
    if (shown.contains("content") && shown["content"].is_string()) {
      const bool assistant = text_field(item, "role") == "assistant";
      shown["content"] = {{{"type", assistant ? "output_text" : "input_text"},
                           {"text", shown["content"].get<std::string>()}}};
    }
    items->push_back(dump(shown));
  }
  return ok_status();
}

// Instructions and system messages at the beginning are one message: many templates know no second.
json joined(const json& system, const json& messages) {
  json result = json::array();
  if (!system.is_null()) result.push_back({{"role", "system"}, {"content", system}});
  for (const json& message : messages) {
    const bool joins =
        message["role"] == "system" && result.size() == 1 && result[0]["role"] == "system";
    if (!joins) {
      result.push_back(message);
      continue;
    }
    result[0]["content"] =
        result[0]["content"].get<std::string>() + "\n\n" + message["content"].get<std::string>();
  }
  return result;
}

Status read_metadata(const json& metadata) {
  if (!metadata.is_object() || metadata.size() > kMaxMetadata) {
    return must_be("metadata", "an object of 16 entries at most");
  }
  for (const auto& [key, value] : metadata.items()) {
    if (key.size() <= kMaxMetadataKey && value.is_string() &&
        value.get_ref<const std::string&>().size() <= kMaxMetadataValue) {
      continue;
    }
    return must_be("metadata", "of texts: keys up to 64 bytes, values up to 512");
  }
  return ok_status();
}

// What may only be what it is without the field.
Status check_neutral(const std::string& name, const json& value) {
  if (name == "background" && value != false) return not_here("background");
  if (name == "truncation" && value != "disabled") {
    return invalid_argument("truncation may be disabled alone: nothing is left out in silence");
  }
  if (name == "service_tier" && value != "auto" && value != "default") {
    return must_be("service_tier", "auto or default");
  }
  constexpr std::array<std::string_view, 4> kTexts = {
      "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"};
  if (std::ranges::find(kTexts, name) != kTexts.end() && !value.is_string())
    return must_be(name, "a text");
  return name == "metadata" ? read_metadata(value) : ok_status();
}

// text.format is a chat completion's response_format with the schema one level higher. Its text is
// read and not its value, for the order of the schema's properties.
Status read_text(std::string_view raw, ordered_json* chat, ResponseForm* form) {
  const ordered_json text = ordered_json::parse(raw, nullptr, false);
  if (!text.is_object()) return must_be("text", "an object");
  for (const auto& [key, unused] : text.items()) {
    if (key != "format") return not_here("text with the field \"" + key.substr(0, 60) + "\"");
  }
  if (!text.contains("format") || text["format"].is_null()) return ok_status();
  ordered_json format = text["format"];
  if (!format.is_object() || !format.contains("type") || !format["type"].is_string()) {
    return must_be("text", "an object whose format has a type");
  }
  const std::string type = format["type"];
  if (type != "text" && type != "json_object" && type != "json_schema") {
    return must_be("text", "of the format text, json_object or json_schema");
  }
  form->echo["text"] = {{"format", format}};
  if (type == "text") return ok_status();
  ordered_json wanted = {{"type", type}};
  format.erase("type");
  if (type == "json_schema") {
    wanted["json_schema"] = std::move(format);
  } else if (!format.empty()) {
    return must_be("text", "of a format json_object without further fields");
  }
  (*chat)["response_format"] = std::move(wanted);
  return ok_status();
}

Status read_logprobs(const json& body, ordered_json* chat, ResponseForm* form) {
  if (body.contains("include") && !body["include"].is_null()) {
    if (!body["include"].is_array()) return must_be("include", "a list");
    for (const json& item : body["include"]) {
      if (item != "message.output_text.logprobs") {
        return invalid_argument(
            "include may have message.output_text.logprobs alone in this version");
      }
      form->with_logprobs = true;
    }
  }
  std::int64_t top = 0;
  if (body.contains("top_logprobs") && !body["top_logprobs"].is_null()) {
    const json& value = body["top_logprobs"];
    if (!value.is_number_integer() || value < 0 || value > kMaxTopLogprobs) {
      return must_be("top_logprobs", "a whole number from 0 to 20");
    }
    top = value.get<std::int64_t>();
  }
  form->echo["top_logprobs"] = top;
  form->with_logprobs = form->with_logprobs || top > 0;
  if (form->with_logprobs) {
    (*chat)["logprobs"] = true;
    (*chat)["top_logprobs"] = top;
  }
  return ok_status();
}

Status read_max_tokens(const json& value, ordered_json* chat) {
  const bool whole =
      value.is_number_integer() ||
      (value.is_number_float() && value.get<double>() == std::floor(value.get<double>()));
  if (!whole || value < 1) return must_be("max_output_tokens", "a whole number from 1 up");
  (*chat)["max_tokens"] = value;
  return ok_status();
}

Result<bool> read_switch(const json& body, const char* name, bool otherwise) {
  if (!body.contains(name) || body[name].is_null()) return otherwise;
  if (!body[name].is_boolean()) return must_be(name, "true or false");
  return body[name].get<bool>();
}

Result<json> read_text_or_null(const json& body, const char* name) {
  if (!body.contains(name) || body[name].is_null()) return json();
  if (!body[name].is_string()) return must_be(name, "a text");
  return body[name];
}

// Functions are flat here; the chat has them in a field of their own.
json nested_function(const json& flat) {
  json function = flat;
  function.erase("type");
  return {{"type", "function"}, {"function", std::move(function)}};
}

Status read_tools(const json& tools, ordered_json* chat) {
  if (!tools.is_array()) return must_be("tools", "a list");
  (*chat)["tools"] = ordered_json::array();
  for (const json& tool : tools) {
    const std::string type = text_field(tool, "type");
    if (type != "function") return not_here("tools of type " + type.substr(0, 40));
    (*chat)["tools"].push_back(ordered_json(nested_function(tool)));
  }
  return ok_status();
}

Status read_choice(const json& choice, ordered_json* chat) {
  const std::string type = choice.is_object() ? text_field(choice, "type") : "";
  if (type == "function") {
    (*chat)["tool_choice"] = nested_function(choice);
  } else if (type == "allowed_tools") {
    json allowed = choice;
    allowed.erase("type");
    json tools = json::array();
    const json given = choice.value("tools", json::array());
    for (const json& tool : given.is_array() ? given : json::array()) {
      if (tool.is_object()) tools.push_back(nested_function(tool));
    }
    allowed["tools"] = std::move(tools);
    (*chat)["tool_choice"] = {{"type", "allowed_tools"}, {"allowed_tools", std::move(allowed)}};
  } else {
    (*chat)["tool_choice"] = choice;
  }
  return ok_status();
}

Status read_reasoning(const json& reasoning, ordered_json* chat) {
  if (!reasoning.is_object()) return must_be("reasoning", "an object");
  for (const auto& [name, value] : reasoning.items()) {
    // There is nobody to write summaries: the thoughts themselves are in the answer.
    if (name == "summary" || name == "generate_summary" || value.is_null()) continue;
    if (name != "effort")
      return not_here("reasoning with the field \"" + name.substr(0, 60) + "\"");
    (*chat)["reasoning_effort"] = value;
  }
  return ok_status();
}

// The chat completion that means the same, without its messages.
Status read_fields(const json& body, std::string_view raw, ordered_json* chat, ResponseForm* form) {
  for (const auto& [name, value] : body.items()) {
    const ResponseField field = response_field(name);
    if (value.is_null() && (field == ResponseField::kNotHere || field == ResponseField::kOwn)) {
      continue;
    }
    if (field == ResponseField::kNotHere) return not_here(name);
    if (field == ResponseField::kSameAsChat) {
      (*chat)[name] = ordered_json::parse(raw_field(raw, name), nullptr, false);
    } else if (field == ResponseField::kUnknown) {
      return invalid_argument("the field \"" + name.substr(0, 60) +
                              "\" is not known; leave it out");
    } else if (name == "max_output_tokens") {
      QUIRE_TRY(read_max_tokens(value, chat));
    } else if (name == "tools") {
      QUIRE_TRY(read_tools(value, chat));
    } else if (name == "tool_choice") {
      QUIRE_TRY(read_choice(value, chat));
    } else if (name == "reasoning") {
      QUIRE_TRY(read_reasoning(value, chat));
    } else if (name == "text") {
      QUIRE_TRY(read_text(raw_field(raw, name), chat, form));
    } else {
      QUIRE_TRY(check_neutral(name, value));
    }
  }
  QUIRE_ASSIGN(form->store, read_switch(body, "store", true));
  return read_logprobs(body, chat, form);
}

// What the answer repeats, in OpenAI's order and with OpenAI's values for what is not here.
void fill_echo(const json& body, const SamplingParams& params, ordered_json* echo) {
  const auto given = [&body](const char* name, const json& otherwise) {
    return body.contains(name) && !body[name].is_null() ? body[name] : otherwise;
  };
  (*echo)["instructions"] = given("instructions", nullptr);
  (*echo)["max_output_tokens"] = given("max_output_tokens", nullptr);
  (*echo)["max_tool_calls"] = nullptr;
  (*echo)["metadata"] = given("metadata", json::object());
  (*echo)["parallel_tool_calls"] = given("parallel_tool_calls", true);
  (*echo)["previous_response_id"] = given("previous_response_id", nullptr);
  (*echo)["prompt_cache_key"] = given("prompt_cache_key", nullptr);
  const json reasoning = given("reasoning", json::object());
  (*echo)["reasoning"] = {{"effort", reasoning.value("effort", json())},
                          {"summary", reasoning.value("summary", json())}};
  (*echo)["safety_identifier"] = given("safety_identifier", nullptr);
  (*echo)["service_tier"] = "default";
  (*echo)["store"] = given("store", true);
  (*echo)["temperature"] = params.temperature;
  if (!echo->contains("text")) (*echo)["text"] = {{"format", {{"type", "text"}}}};
  (*echo)["tool_choice"] = given("tool_choice", "auto");
  (*echo)["tools"] = given("tools", json::array());
  (*echo)["top_p"] = params.top_p;
  (*echo)["truncation"] = "disabled";
  (*echo)["user"] = given("user", nullptr);
}

// A refusal of the chat that means the same, with the names of fields here.
Status in_own_names(const Status& refusal) {
  const std::string& message = refusal.message();
  if (message.starts_with("messages")) return invalid_argument("input: as a chat, " + message);
  if (message.starts_with("response_format")) return refusal.with_context("text");
  constexpr std::string_view kEffort = "reasoning_effort";
  if (!message.starts_with(kEffort)) return refusal;
  return invalid_argument("reasoning.effort" + message.substr(kEffort.size()));
}

Status find_previous(const json& id, ResponseForm* form) {
  if (id.is_null()) return ok_status();
  if (form->caller.responses != nullptr) {
    form->previous = form->caller.responses->find(id.get<std::string>(), form->caller.owner);
  }
  if (form->previous) return ok_status();
  return not_found("previous_response_id names a response that is not there (any more): \"" +
                   id.get<std::string>().substr(0, 80) + "\"; send the conversation as input");
}

}  // namespace

Result<ApiRequest> read_responses_request(ApiBody body,
                                          const SamplingParams& defaults,
                                          const Caller& caller) {
  auto form = std::make_shared<ResponseForm>();
  form->caller = caller;
  ordered_json chat;
  QUIRE_TRY(read_fields(body.json(), body.text(), &chat, form.get()));
  QUIRE_ASSIGN(const json instructions, read_text_or_null(body.json(), "instructions"));
  QUIRE_ASSIGN(const json previous, read_text_or_null(body.json(), "previous_response_id"));
  QUIRE_TRY(find_previous(previous, form.get()));
  json messages = json::array();
  if (form->previous) {
    QUIRE_ASSIGN(messages, parse_json(form->previous->messages, "the conversation"));
  }
  QUIRE_TRY(read_input(body.json(), &messages, &form->input_items));
  if (messages.empty()) return must_be("input", "a text or a list with at least one message");
  form->messages = dump(messages);
  chat["messages"] = joined(instructions, messages);
  QUIRE_ASSIGN(ApiBody as_chat,
               ApiBody::parse(chat.dump(-1, ' ', false, ordered_json::error_handler_t::replace)));
  auto read = read_api_request(wire::LineForm::kOpenAiChat, std::move(as_chat), defaults);
  if (!read) return in_own_names(read.error());
  ApiRequest request = *std::move(read);
  StructuredOutput& output = request.requests.front().params.structured_output;
  if (output.field == "response_format") output.field = "text";
  fill_echo(body.json(), request.requests.front().params, &form->echo);
  request.response = std::move(form);
  return request;
}

}  // namespace quire::openai
