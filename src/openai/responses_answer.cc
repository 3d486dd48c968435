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

ordered_json call_item(const ReadCall& call, std::string_view status) {
  return {{"id", "fc_" + call.id},
          {"type", "function_call"},
          {"status", status},
          {"call_id", call.id},
          {"name", call.name},
          {"arguments", call.arguments}};
}

class ResponsesAnswer : public Answer {
 public:
  ResponsesAnswer(const ApiRequest& request, AnswerContext context)
      : form_(request.response),
        context_(std::move(context)),
        reader_(&context_.reading, 0),
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
    return say(reader_.feed(delta.text));
  }

  std::string end(const std::vector<RequestOutput>& outputs) override {
    const CompletionOutput& sample = outputs.front().outputs.front();
    std::string events = say(reader_.finish());
    events += close_reasoning();
    const bool silent = !message_open_ && reader_.has_call();
    if (!silent && (!message_open_ || !pending_logprobs_.empty())) events += say_text("");
    if (!silent) events += close_message(item_status(sample), logprobs_of(sample.logprobs));
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
  std::string id() const { return "resp_" + context_.id; }
  // An answer is one message, unless there are calls in the middle of it.
  std::string message_id(std::size_t number) const {
    return "msg_" + context_.id + (number == 0 ? "" : "_" + std::to_string(number));
  }
  std::string message_id() const { return message_id(num_messages_); }
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

  std::string say(const std::vector<AnswerPiece>& pieces) {
    std::string events;
    for (const AnswerPiece& each : pieces) {
      switch (each.kind) {
        case AnswerPiece::Kind::kReasoning:
          events += say_reasoning(each.text);
          break;
        case AnswerPiece::Kind::kContent:
          events += close_reasoning();  // one after another: each takes its number
          events += say_text(each.text);
          break;
        case AnswerPiece::Kind::kCallBegin:
          call_ = {.id = each.call_id, .name = each.text, .arguments = {}};
          break;
        case AnswerPiece::Kind::kCallArguments:
          call_.arguments += each.text;
          break;
        case AnswerPiece::Kind::kCallEnd:
          events += close_reasoning();
          if (message_open_) events += close_message("completed", ordered_json::array());
          events += say_call();
          break;
        case AnswerPiece::Kind::kCallBroken:
          break;
      }
    }
    return events;
  }

  // A call is told when it is whole: the clients of this interface run what they are told of.
  std::string say_call() {
    ReadCall empty = call_;
    empty.arguments.clear();
    const auto place = [&](const char* field, ordered_json value) {
      return ordered_json{
          {"item_id", "fc_" + call_.id}, {"output_index", next_index_}, {field, std::move(value)}};
    };
    std::string events =
        event_of("response.output_item.added",
                 {{"output_index", next_index_}, {"item", call_item(empty, "in_progress")}});
    events += event_of("response.function_call_arguments.delta", place("delta", call_.arguments));
    ordered_json done = place("arguments", call_.arguments);
    done["name"] = call_.name;
    events += event_of("response.function_call_arguments.done", done);
    events += event_of("response.output_item.done",
                       {{"output_index", next_index_}, {"item", call_item(call_, "completed")}});
    ++next_index_;
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
    if (!reasoning_ || reasoning_closed_) return {};
    reasoning_closed_ = true;
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
    events += event_of("response.output_item.done",
                       {{"output_index", next_index_},
                        {"item", message_item(message_id(), status, ordered_json::array({part}))}});
    ++next_index_;
    ++num_messages_;
    message_open_ = false;
    text_.clear();
    return events;
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
        context_.reading.reasoning
            ? count_reasoning_tokens(
                  *context_.reading.reasoning, context_.reading.in_reasoning, ids)
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

  // What the answer is made of, in its order.
  ordered_json items_of(const CompletionOutput& sample, std::string_view status) const {
    AnswerReader reader(&context_.reading, 0);
    std::vector<AnswerPiece> pieces = reader.feed(sample.text);
    for (AnswerPiece& piece : reader.finish()) pieces.push_back(std::move(piece));
    ordered_json items = ordered_json::array();
    std::string reasoning;
    std::string text;
    std::size_t number = 0;
    ReadCall call;
    const auto close_text = [&](std::string_view text_status, const ordered_json& logprobs) {
      items.push_back(message_item(
          message_id(number++), text_status, ordered_json::array({text_part(text, logprobs)})));
      text.clear();
    };
    for (const AnswerPiece& each : pieces) {
      if (each.kind == AnswerPiece::Kind::kReasoning) reasoning += each.text;
      if (each.kind == AnswerPiece::Kind::kContent) text += each.text;
      if (each.kind == AnswerPiece::Kind::kCallBegin) {
        call = {.id = each.call_id, .name = each.text, .arguments = {}};
      }
      if (each.kind == AnswerPiece::Kind::kCallArguments) call.arguments += each.text;
      if (each.kind != AnswerPiece::Kind::kCallEnd) continue;
      if (!text.empty()) close_text("completed", ordered_json::array());
      items.push_back(call_item(call, "completed"));
    }
    if (!text.empty() || !reader.has_call()) close_text(status, logprobs_of(sample.logprobs));
    if (!reasoning.empty()) items.insert(items.begin(), reasoning_item(reasoning_id(), &reasoning));
    return items;
  }

  // The whole response; also what the store keeps.
  ordered_json finished(const RequestOutput& output) {
    const CompletionOutput& sample = output.outputs.front();
    const std::string_view status = item_status(sample);
    ordered_json items = items_of(sample, status);
    ordered_json response = object(status, std::move(items));
    if (status == "incomplete") {
      response["incomplete_details"] = {{"reason", "max_output_tokens"}};
    }
    response["usage"] = usage(output);
    if (form_->store && form_->caller.responses != nullptr) keep(response, sample);
    return response;
  }

  // The answer as a message of the conversation that goes on from it.
  ordered_json message_of(const CompletionOutput& sample) const {
    const ReadAnswer answer = read_answer(context_.reading, 0, sample.text);
    ordered_json message = {{"role", "assistant"}, {"content", answer.content}};
    for (const ReadCall& call : answer.calls) {
      message["tool_calls"].push_back(
          {{"id", call.id},
           {"type", "function"},
           {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
    }
    return message;
  }

  void keep(const ordered_json& response, const CompletionOutput& sample) {
    auto stored = std::make_shared<StoredResponse>();
    stored->owner = form_->caller.owner;
    stored->json = dump(response);
    for (std::size_t i = 0; i < form_->input_items.size(); ++i) {
      ordered_json item = ordered_json::parse(form_->input_items[i]);
      item["id"] = message_id() + "_" + std::to_string(i);
      stored->input_items.push_back(dump(item));
    }
    const std::string answer = dump(message_of(sample));
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
  AnswerReader reader_;
  ReadCall call_;  // that is being read
  wire::OpenAiContext wire_;
  std::int64_t sequence_ = 0;
  int next_index_ = 0;  // of the item that is being written
  std::optional<std::string> reasoning_;
  bool reasoning_closed_ = false;
  bool message_open_ = false;
  std::size_t num_messages_ = 0;  // that are closed
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
