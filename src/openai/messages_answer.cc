#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "openai/messages_api.h"

namespace quire::openai {
namespace {

using nlohmann::ordered_json;

// The stop string that ended an answer, which its tokens still have and its text has not; empty for
// any other end.
std::string matched_stop(const CompletionOutput& sample,
                         const std::vector<std::string>& stop,
                         const Tokenizer* tokenizer,
                         bool skip_special) {
  if (sample.finish_reason != FinishReason::kStop || stop.empty() || tokenizer == nullptr)
    return {};
  std::vector<TokenId> ids = sample.token_ids;
  std::erase_if(ids, [&](TokenId id) { return id >= tokenizer->vocab_size(); });  // padding
  const Result<std::string> all = tokenizer->decode(ids, skip_special);
  if (!all) return {};
  std::string_view text = sample.text;
  // An answer that goes on with the client's text keeps a blank that decode() takes from a first
  // token.
  if (!all->starts_with(text) && text.starts_with(' ')) text.remove_prefix(1);
  if (!all->starts_with(text)) return {};
  const std::string_view rest = std::string_view(*all).substr(text.size());
  for (const std::string& each : stop) {
    if (rest.starts_with(each)) return each;
  }
  return {};
}

ordered_json usage_json(std::int64_t prompt, std::int64_t cached, std::size_t generated) {
  // Anthropic counts what was read from the cache apart from the rest.
  return {{"input_tokens", prompt - cached},
          {"cache_creation_input_tokens", 0},
          {"cache_read_input_tokens", cached},
          {"output_tokens", generated}};
}

std::string_view error_type(int status) {
  switch (status) {
    case 400:
      return "invalid_request_error";
    case 401:
      return "authentication_error";
    case 404:
      return "not_found_error";
    case 503:
      return "overloaded_error";
    default:
      return status < 500 ? "invalid_request_error" : "api_error";
  }
}

class MessagesAnswer : public Answer {
 public:
  MessagesAnswer(const SamplingParams& params, AnswerContext context)
      : stop_(params.stop),
        skip_special_(params.skip_special_tokens),
        context_(std::move(context)),
        reader_(&context_.reading, 0) {}

  std::string begin() override {
    ordered_json message = head();
    message["content"] = ordered_json::array();
    message["stop_reason"] = nullptr;
    message["stop_sequence"] = nullptr;
    message["usage"] = usage_json(context_.num_prompt_tokens, 0, 0);
    std::string events = named("message_start", {{"message", std::move(message)}});
    const bool only_text = context_.reading.markers() == nullptr && !has_tools();
    if (only_text) events += open(Block::kText);  // nothing else can come
    return events + named("ping", ordered_json::object());
  }

  std::string delta(std::size_t, const TextDelta& delta) override {
    if (delta.text.empty() || delta.kind != PartKind::kText) return {};
    return say(reader_.feed(delta.text));
  }

  std::string end(const std::vector<RequestOutput>& outputs) override {
    const RequestOutput& output = outputs.front();
    const CompletionOutput& sample = output.outputs.front();
    std::string events = say(reader_.finish());
    if (block_ != Block::kTool) events += open(Block::kText);
    events += named("content_block_stop", {{"index", index_}});
    return events +
           named("message_delta",
                 {{"delta", end_of(sample, reader_.has_call())},
                  {"usage",
                   usage_json(output.num_prompt_tokens,
                              output.num_cached_tokens,
                              sample.token_ids.size())}}) +
           named("message_stop", ordered_json::object());
  }

  std::string whole(const std::vector<RequestOutput>& outputs) override {
    const RequestOutput& output = outputs.front();
    const CompletionOutput& sample = output.outputs.front();
    ordered_json message = head();
    const ReadAnswer answer = read_answer(context_.reading, 0, sample.text);
    ordered_json content = ordered_json::array();
    if (!answer.reasoning.empty()) content.push_back(thinking_block(answer.reasoning));
    if (!answer.content.empty() || answer.calls.empty()) {
      content.push_back({{"type", "text"}, {"text", answer.content}});
    }
    for (const ReadCall& call : answer.calls) {
      content.push_back(tool_block(call, ordered_json::parse(call.arguments)));
    }
    message["content"] = std::move(content);
    message.update(end_of(sample, !answer.calls.empty()));
    message["usage"] =
        usage_json(output.num_prompt_tokens, output.num_cached_tokens, sample.token_ids.size());
    return message.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  }

  std::string failure(const ApiError& error) override {
    return event(messages_error_body(error), "error");
  }

 private:
  enum class Block { kNone, kThinking, kText, kTool };

  bool has_tools() const { return context_.reading.tools.format != tool_calls::Format::kNone; }

  // Anthropic signs what its models think, for itself to check; there is nobody to sign for here.
  static ordered_json thinking_block(const std::string& text) {
    return {{"type", "thinking"}, {"thinking", text}, {"signature", ""}};
  }

  static ordered_json tool_block(const ReadCall& call, ordered_json input) {
    return {
        {"type", "tool_use"}, {"id", call.id}, {"name", call.name}, {"input", std::move(input)}};
  }

  // Begins a block where another or none is under way.
  std::string open(Block block) {
    if (block_ == block) return {};
    std::string events;
    if (block_ != Block::kNone) events += named("content_block_stop", {{"index", index_++}});
    block_ = block;
    const ordered_json empty =
        block == Block::kText ? ordered_json{{"type", "text"}, {"text", ""}} : thinking_block("");
    return events + named("content_block_start", {{"index", index_}, {"content_block", empty}});
  }

  std::string say(const std::vector<AnswerPiece>& pieces) {
    std::string events;
    for (const AnswerPiece& each : pieces) {
      switch (each.kind) {
        case AnswerPiece::Kind::kReasoning:
          events += open(Block::kThinking);
          events += piece({{"type", "thinking_delta"}, {"thinking", each.text}});
          break;
        case AnswerPiece::Kind::kContent:
          events += open(Block::kText);
          events += piece({{"type", "text_delta"}, {"text", each.text}});
          break;
        case AnswerPiece::Kind::kCallBegin:
          call_ = {.id = each.call_id, .name = each.text, .arguments = {}};
          break;
        case AnswerPiece::Kind::kCallArguments:
          call_.arguments += each.text;
          break;
        case AnswerPiece::Kind::kCallEnd:
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
    std::string events;
    if (block_ != Block::kNone) events += named("content_block_stop", {{"index", index_++}});
    block_ = Block::kTool;
    events +=
        named("content_block_start",
              {{"index", index_}, {"content_block", tool_block(call_, ordered_json::object())}});
    return events + piece({{"type", "input_json_delta"}, {"partial_json", call_.arguments}});
  }

  std::string piece(const ordered_json& delta) const {
    return named("content_block_delta", {{"index", index_}, {"delta", delta}});
  }

  ordered_json head() const {
    return {{"id", "msg_" + context_.id},
            {"type", "message"},
            {"role", "assistant"},
            {"model", context_.model}};
  }

  // Every event says its name twice: in its own line and as its type.
  static std::string named(const std::string& name, const ordered_json& fields) {
    ordered_json json = {{"type", name}};
    json.update(fields);
    return event(json.dump(-1, ' ', false, ordered_json::error_handler_t::replace), name);
  }

  // Why the answer ends, and with which of the client's stop sequences.
  ordered_json end_of(const CompletionOutput& sample, bool called) const {
    const std::string stop = matched_stop(sample, stop_, context_.tokenizer, skip_special_);
    if (!stop.empty()) return {{"stop_reason", "stop_sequence"}, {"stop_sequence", stop}};
    if (called && sample.finish_reason == FinishReason::kStop) {
      return {{"stop_reason", "tool_use"}, {"stop_sequence", nullptr}};
    }
    const bool length = sample.finish_reason == FinishReason::kLength;
    return {{"stop_reason", length ? "max_tokens" : "end_turn"}, {"stop_sequence", nullptr}};
  }

  std::vector<std::string> stop_;
  bool skip_special_;
  AnswerContext context_;
  AnswerReader reader_;
  ReadCall call_;  // that is being read
  Block block_ = Block::kNone;
  int index_ = 0;  // of the block under way
};

}  // namespace

std::unique_ptr<Answer> make_messages_answer(const ApiRequest& request,
                                             std::vector<std::string>,
                                             AnswerContext context) {
  return std::make_unique<MessagesAnswer>(request.requests.front().params, std::move(context));
}

std::string messages_error_body(const ApiError& error) {
  const ordered_json json = {
      {"type", "error"},
      {"error", {{"type", error_type(error.status)}, {"message", error.message}}}};
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace quire::openai
