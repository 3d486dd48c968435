#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "openai/responses_api.h"
#include "wire/openai_json.h"

namespace quire::openai {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kDefaultItems = 20;
constexpr std::size_t kMostItems = 100;

std::string dump(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

ordered_json text_part(const std::string& text, ordered_json logprobs) {
  return {{"type", "output_text"},
          {"annotations", ordered_json::array()},
          {"logprobs", std::move(logprobs)},
          {"text", text}};
}

ordered_json reasoning_part(const std::string& text) {
  return {{"type", "reasoning_text"}, {"text", text}};
}

ordered_json reasoning_item(const std::string& id, const std::string* text) {
  ordered_json content = ordered_json::array();
  if (text != nullptr) content.push_back(reasoning_part(*text));
  return {{"id", id},
          {"type", "reasoning"},
          {"summary", ordered_json::array()},
          {"content", std::move(content)}};
}

ordered_json message_item(const std::string& id, std::string_view status, ordered_json content) {
  return {{"id", id},
          {"type", "message"},
          {"status", status},
          {"role", "assistant"},
          {"content", std::move(content)}};
}

class ResponsesAnswer : public Answer {
 public:
  ResponsesAnswer(const ApiRequest& request, AnswerContext context)
      : form_(request.response),
        context_(std::move(context)),
        splitter_(markers(), context_.in_reasoning),
        wire_{
            .model = context_.model, .created = context_.created, .tokenizer = context_.tokenizer} {
  }

  std::string begin() override {
    std::string events = event_of("response.created", {{"response", object("in_progress", {})}});
    events += event_of("response.in_progress", {{"response", object("in_progress", {})}});
    return events;
  }

  std::string delta(std::size_t, const TextDelta& delta) override {
    if (delta.kind != PartKind::kText) return {};
    if (form_->with_logprobs) {
      for (const auto& entry : logprobs_of(delta.logprobs)) pending_logprobs_.push_back(entry);
    }
    return say(splitter_.feed(delta.text));
  }

  std::string end(const std::vector<RequestOutput>& outputs) override {
    const CompletionOutput& sample = outputs.front().outputs.front();
    std::string events = say(splitter_.finish());
    events += close_reasoning();
    if (!message_open_ || !pending_logprobs_.empty()) events += say_text("");
    events += close_message(item_status(sample), logprobs_of(sample.logprobs));
    const ordered_json response = finished(outputs.front());
    const bool complete = response["status"] == "completed";
    return events + event_of(complete ? "response.completed" : "response.incomplete",
                             {{"response", response}});
  }

  std::string whole(const std::vector<RequestOutput>& outputs) override {
    return dump(finished(outputs.front()));
  }

  std::string failure(const ApiError& error) override {
    ordered_json response = object("failed", {});
    response["error"] = {{"code", "server_error"}, {"message", error.message}};
    return event_of("response.failed", {{"response", std::move(response)}});
  }

 private:
  const ReasoningMarkers* markers() const {
    return context_.reasoning ? &*context_.reasoning : nullptr;
  }
  std::string id() const { return "resp_" + context_.id; }
  std::string message_id() const { return "msg_" + context_.id; }
  std::string reasoning_id() const { return "rs_" + context_.id; }

  std::string event_of(const std::string& type, const ordered_json& fields) {
    ordered_json json = {{"type", type}, {"sequence_number", sequence_++}};
    json.update(fields);
    return event(dump(json), type);
  }

  ordered_json logprobs_of(const std::vector<TokenLogprobs>& logprobs) const {
    std::size_t offset = 0;
    if (!form_->with_logprobs || logprobs.empty()) return ordered_json::array();
    return wire::openai_logprobs(wire::LineForm::kOpenAiChat, logprobs, wire_, &offset)["content"];
  }

  std::string say(const SplitText& split) {
    std::string events;
    if (!split.reasoning.empty()) events += say_reasoning(split.reasoning);
    if (split.content.empty()) return events;
    events += close_reasoning();  // one after another: each takes its number
    events += say_text(split.content);
    return events;
  }

  std::string say_reasoning(const std::string& text) {
    std::string events;
    if (!reasoning_) {
      reasoning_.emplace();
      events += event_of(
          "response.output_item.added",
          {{"output_index", next_index_}, {"item", reasoning_item(reasoning_id(), nullptr)}});
      events +=
          event_of("response.content_part.added", at(reasoning_id(), {"part", reasoning_part("")}));
    }
    *reasoning_ += text;
    return events + event_of("response.reasoning_text.delta", at(reasoning_id(), {"delta", text}));
  }

  std::string close_reasoning() {
    if (!reasoning_ || next_index_ > 0) return {};
    std::string events =
        event_of("response.reasoning_text.done", at(reasoning_id(), {"text", *reasoning_}));
    events += event_of("response.content_part.done",
                       at(reasoning_id(), {"part", reasoning_part(*reasoning_)}));
    events += event_of(
        "response.output_item.done",
        {{"output_index", next_index_}, {"item", reasoning_item(reasoning_id(), &*reasoning_)}});
    ++next_index_;
    return events;
  }

  std::string say_text(const std::string& text) {
    std::string events;
    if (!message_open_) {
      message_open_ = true;
      events +=
          event_of("response.output_item.added",
                   {{"output_index", next_index_},
                    {"item", message_item(message_id(), "in_progress", ordered_json::array())}});
      events += event_of("response.content_part.added",
                         at(message_id(), {"part", text_part("", ordered_json::array())}));
    }
    text_ += text;
    if (text.empty() && pending_logprobs_.empty()) return events;
    ordered_json fields = at(message_id(), {"delta", text});
    fields["logprobs"] = std::exchange(pending_logprobs_, ordered_json::array());
    return events + event_of("response.output_text.delta", fields);
  }

  std::string close_message(std::string_view status, const ordered_json& logprobs) {
    ordered_json fields = at(message_id(), {"text", text_});
    fields["logprobs"] = logprobs;
    const ordered_json part = text_part(text_, logprobs);
    std::string events = event_of("response.output_text.done", fields);
    events += event_of("response.content_part.done", at(message_id(), {"part", part}));
    return events +
           event_of("response.output_item.done",
                    {{"output_index", next_index_},
                     {"item", message_item(message_id(), status, ordered_json::array({part}))}});
  }

  // Fields of an event about a part of an item.
  ordered_json at(const std::string& item, std::pair<const char*, ordered_json> field) const {
    return {{"item_id", item},
            {"output_index", next_index_},
            {"content_index", 0},
            {field.first, std::move(field.second)}};
  }

  static std::string_view item_status(const CompletionOutput& sample) {
    return sample.finish_reason == FinishReason::kLength ? "incomplete" : "completed";
  }

  ordered_json usage(const RequestOutput& output) const {
    const std::vector<TokenId>& ids = output.outputs.front().token_ids;
    const std::int64_t thoughts =
        context_.reasoning ? count_reasoning_tokens(*context_.reasoning, context_.in_reasoning, ids)
                           : 0;
    return {{"input_tokens", output.num_prompt_tokens},
            {"input_tokens_details", {{"cached_tokens", output.num_cached_tokens}}},
            {"output_tokens", ids.size()},
            {"output_tokens_details", {{"reasoning_tokens", thoughts}}},
            {"total_tokens", output.num_prompt_tokens + static_cast<std::int64_t>(ids.size())}};
  }

  ordered_json object(std::string_view status, ordered_json output) const {
    ordered_json json = {{"id", id()},
                         {"object", "response"},
                         {"created_at", context_.created},
                         {"status", status},
                         {"background", false},
                         {"error", nullptr},
                         {"incomplete_details", nullptr},
                         {"model", context_.model},
                         {"output", output.is_null() ? ordered_json::array() : std::move(output)},
                         {"usage", nullptr}};
    json.update(form_->echo);
    return json;
  }

  // The whole response; also what the store keeps.
  ordered_json finished(const RequestOutput& output) {
    const CompletionOutput& sample = output.outputs.front();
    const SplitText split = split_reasoning(markers(), context_.in_reasoning, sample.text);
    ordered_json items = ordered_json::array();
    if (!split.reasoning.empty()) {
      items.push_back(reasoning_item(reasoning_id(), &split.reasoning));
    }
    const std::string_view status = item_status(sample);
    items.push_back(message_item(
        message_id(),
        status,
        ordered_json::array({text_part(split.content, logprobs_of(sample.logprobs))})));
    ordered_json response = object(status, std::move(items));
    if (status == "incomplete") {
      response["incomplete_details"] = {{"reason", "max_output_tokens"}};
    }
    response["usage"] = usage(output);
    if (form_->store && form_->caller.responses != nullptr) keep(response, split, sample);
    return response;
  }

  void keep(const ordered_json& response, const SplitText& split, const CompletionOutput& sample) {
    auto stored = std::make_shared<StoredResponse>();
    stored->owner = form_->caller.owner;
    stored->json = dump(response);
    for (std::size_t i = 0; i < form_->input_items.size(); ++i) {
      ordered_json item = ordered_json::parse(form_->input_items[i]);
      item["id"] = message_id() + "_" + std::to_string(i);
      stored->input_items.push_back(dump(item));
    }
    const std::string answer = dump({{"role", "assistant"}, {"content", split.content}});
    // Both are JSON already: no need to read the conversation again.
    stored->messages = form_->messages;
    stored->messages.insert(stored->messages.size() - 1, "," + answer);
    if (context_.tokenizer != nullptr) {
      stored->start = start_of_next(
          std::move(context_.prompt), sample.text, sample.token_ids, *context_.tokenizer);
    }
    form_->caller.responses->put(id(), std::move(stored));
  }

  std::shared_ptr<ResponseForm> form_;
  AnswerContext context_;
  ReasoningSplitter splitter_;
  wire::OpenAiContext wire_;
  std::int64_t sequence_ = 0;
  int next_index_ = 0;  // of the item that is being written
  std::optional<std::string> reasoning_;
  bool message_open_ = false;
  std::string text_;
  ordered_json pending_logprobs_ = ordered_json::array();
};

struct ItemsQuery {
  std::size_t limit = kDefaultItems;
  bool ascending = false;
  std::string after;
};

Result<ItemsQuery> read_query(std::string_view query) {
  ItemsQuery asked;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view field = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const std::size_t equals = std::min(field.find('='), field.size());
    const std::string_view name = field.substr(0, equals);
    const std::string value(field.substr(std::min(equals + 1, field.size())));
    if (name == "limit") {
      const bool digits = !value.empty() && value.size() <= 3 &&
                          std::ranges::all_of(value, [](char c) { return '0' <= c && c <= '9'; });
      asked.limit = digits ? std::stoul(value) : 0;
      if (asked.limit == 0 || asked.limit > kMostItems) {
        return invalid_argument("limit must be a whole number from 1 to 100");
      }
    } else if (name == "order") {
      if (value != "asc" && value != "desc") return invalid_argument("order must be asc or desc");
      asked.ascending = value == "asc";
    } else if (name == "after") {
      asked.after = value;
    } else {
      return invalid_argument("the field \"" + std::string(name.substr(0, 60)) +
                              "\" is not known; leave it out");
    }
  }
  return asked;
}

}  // namespace

std::unique_ptr<Answer> make_responses_answer(const ApiRequest& request,
                                              std::vector<std::string> /*prompt_texts*/,
                                              AnswerContext context) {
  return std::make_unique<ResponsesAnswer>(request, std::move(context));
}

Result<std::string> list_input_items(const StoredResponse& response, std::string_view query) {
  QUIRE_ASSIGN(const ItemsQuery asked, read_query(query));
  std::vector<ordered_json> items;
  items.reserve(response.input_items.size());
  for (const std::string& item : response.input_items) items.push_back(ordered_json::parse(item));
  if (!asked.ascending) std::ranges::reverse(items);
  std::size_t begin = 0;
  if (!asked.after.empty()) {
    const auto found =
        std::ranges::find_if(items, [&](const auto& item) { return item["id"] == asked.after; });
    if (found == items.end()) return invalid_argument("after names no item of this response");
    begin = static_cast<std::size_t>(found - items.begin()) + 1;
  }
  const std::size_t end = std::min(items.size(), begin + asked.limit);
  ordered_json page = {{"object", "list"}, {"data", ordered_json::array()}};
  for (std::size_t i = begin; i < end; ++i) page["data"].push_back(items[i]);
  const bool empty = page["data"].empty();
  page["first_id"] = empty ? ordered_json() : page["data"].front()["id"];
  page["last_id"] = empty ? ordered_json() : page["data"].back()["id"];
  page["has_more"] = end < items.size();
  return dump(page);
}

std::string deleted_body(const std::string& id) {
  return dump({{"id", id}, {"object", "response"}, {"deleted", true}});
}

}  // namespace quire::openai
