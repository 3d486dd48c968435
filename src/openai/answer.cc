#include "openai/answer.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "wire/openai_json.h"

namespace quire::openai {
namespace {

using nlohmann::ordered_json;
using wire::LineForm;

std::string dump(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

ordered_json usage_json(const std::vector<RequestOutput>& outputs, bool prompt_only) {
  std::int64_t prompt = 0;
  std::int64_t cached = 0;
  std::int64_t completion = 0;
  for (const RequestOutput& output : outputs) {
    prompt += output.num_prompt_tokens;
    cached += output.num_cached_tokens;
    for (const CompletionOutput& sample : output.outputs) {
      if (!prompt_only) completion += static_cast<std::int64_t>(sample.token_ids.size());
    }
  }
  return {{"prompt_tokens", prompt},
          {"completion_tokens", completion},
          {"total_tokens", prompt + completion},
          {"prompt_tokens_details", {{"cached_tokens", cached}}}};
}

ordered_json timings_json(const std::vector<RequestOutput>& outputs) {
  RequestTimings last;
  for (const RequestOutput& output : outputs) {
    if (output.timings.total_ms >= last.total_ms) last = output.timings;
  }
  return {{"queued_ms", last.queued_ms},
          {"first_token_ms", last.first_token_ms},
          {"total_ms", last.total_ms}};
}

class CompletionAnswer : public Answer {
 public:
  CompletionAnswer(const ApiRequest& request,
                   std::vector<std::string> prompt_texts,
                   AnswerContext context)
      : form_(request.form),
        num_samples_(request.requests.front().params.n),
        num_prompts_(request.requests.size()),
        include_usage_(request.include_usage),
        continuous_usage_(request.continuous_usage),
        echo_(request.echo),
        prompt_only_(request.prompt_only),
        prompt_texts_(std::move(prompt_texts)),
        first_ids_(std::move(context.first_ids)),
        reading_(std::move(context.reading)),
        num_prompt_tokens_(context.num_prompt_tokens),
        id_((is_chat() ? "chatcmpl-" : "cmpl-") + context.id),
        wire_{.model = std::move(context.model),
              .created = context.created,
              .tokenizer = context.tokenizer} {}

  std::string begin() override {
    std::string events;
    for (std::size_t prompt = 0; prompt < num_prompts_; ++prompt) {
      for (int index = 0; index < num_samples_; ++index) {
        if (is_chat()) {
          events += chunk({{"index", place(prompt, index)},
                           {"delta", {{"role", "assistant"}, {"content", ""}}},
                           {"logprobs", nullptr},
                           {"finish_reason", nullptr}});
        } else if (echo_) {
          events += chunk({{"index", place(prompt, index)},
                           {"text", prompt_texts_[prompt]},
                           {"logprobs", nullptr},
                           {"finish_reason", nullptr}});
        }
      }
    }
    return events;
  }

  std::string delta(std::size_t prompt, const TextDelta& delta) override {
    if (!prompt_only_) num_new_tokens_ += static_cast<std::int64_t>(delta.token_ids.size());
    const bool ends = delta.finish_reason != FinishReason::kNone;
    const bool failed = delta.finish_reason == FinishReason::kError ||
                        delta.finish_reason == FinishReason::kCancelled;
    const bool says = delta.kind == PartKind::kText && !prompt_only_ &&
                      (!delta.text.empty() || !delta.logprobs.empty());
    if (failed || (!ends && !says)) return {};
    ordered_json choice = {{"index", place(prompt, delta.index)}};
    const std::string text = says ? delta.text : std::string();
    if (is_chat()) {
      choice["delta"] = chat_delta(place(prompt, delta.index), text, ends);
      if (choice["delta"].empty() && !ends && delta.logprobs.empty()) return {};
    } else {
      choice["text"] = text;
    }
    std::size_t* const offset = &offsets_[{prompt, delta.index}];
    if (prompt_only_) {
      choice["logprobs"] = nullptr;
    } else {
      choice["logprobs"] = wire::openai_logprobs(form_, delta.logprobs, wire_, offset);
    }
    choice["finish_reason"] = nullptr;
    if (ends) {
      const bool called = is_chat() && reader(place(prompt, delta.index)).has_call();
      choice["finish_reason"] = reason(delta.finish_reason, called);
    }
    return chunk(std::move(choice));
  }

  std::string end(const std::vector<RequestOutput>& outputs) override {
    std::string events;
    if (include_usage_) {
      ordered_json json = head(/*streamed=*/true);
      json["choices"] = ordered_json::array();
      json["usage"] = usage(outputs);
      json["timings"] = timings_json(outputs);
      events = event(dump(json));
    }
    return events + event("[DONE]");
  }

  std::string whole(const std::vector<RequestOutput>& outputs) override {
    ordered_json json = head(/*streamed=*/false);
    json["choices"] = ordered_json::array();
    for (std::size_t prompt = 0; prompt < outputs.size(); ++prompt) {
      for (const CompletionOutput& sample : outputs[prompt].outputs) {
        json["choices"].push_back(choice(prompt, outputs[prompt], sample));
      }
    }
    json["usage"] = usage(outputs);
    json["timings"] = timings_json(outputs);
    return dump(json);
  }

  std::string failure(const ApiError& error) override { return event(error_body(error)); }

 private:
  bool is_chat() const { return form_ == LineForm::kOpenAiChat; }
  std::size_t place(std::size_t prompt, int index) const {
    return prompt * static_cast<std::size_t>(num_samples_) + static_cast<std::size_t>(index);
  }
  std::string_view reason(FinishReason reason, bool called = false) const {
    if (prompt_only_) return "length";
    return called && reason == FinishReason::kStop ? "tool_calls"
                                                   : wire::openai_finish_reason(reason);
  }

  AnswerReader& reader(std::size_t place) {
    return readers_.try_emplace(place, &reading_, place).first->second;
  }

  ordered_json usage(const std::vector<RequestOutput>& outputs) const {
    ordered_json json = usage_json(outputs, prompt_only_);
    if (!reading_.reasoning) return json;
    std::int64_t thoughts = 0;
    for (const RequestOutput& output : outputs) {
      for (const CompletionOutput& sample : output.outputs) {
        thoughts +=
            count_reasoning_tokens(*reading_.reasoning, reading_.in_reasoning, sample.token_ids);
      }
    }
    json["completion_tokens_details"] = {{"reasoning_tokens", thoughts}};
    return json;
  }

  // What a piece adds to a chat's message, its thoughts and calls apart.
  ordered_json chat_delta(std::size_t place, const std::string& text, bool ends) {
    std::vector<AnswerPiece> pieces = reader(place).feed(text);
    if (ends) {
      for (AnswerPiece& piece : reader(place).finish()) pieces.push_back(std::move(piece));
    }
    std::string reasoning;
    std::string content;
    ordered_json calls = ordered_json::array();
    for (const AnswerPiece& piece : pieces) {
      if (piece.kind == AnswerPiece::Kind::kReasoning) reasoning += piece.text;
      if (piece.kind == AnswerPiece::Kind::kContent) content += piece.text;
      if (piece.kind == AnswerPiece::Kind::kCallBegin) {
        calls.push_back({{"index", piece.index},
                         {"id", piece.call_id},
                         {"type", "function"},
                         {"function", {{"name", piece.text}, {"arguments", ""}}}});
      }
      if (piece.kind == AnswerPiece::Kind::kCallArguments) {
        if (calls.empty() || calls.back()["index"] != piece.index) {
          calls.push_back({{"index", piece.index}, {"function", {{"arguments", ""}}}});
        }
        ordered_json& arguments = calls.back()["function"]["arguments"];
        arguments = arguments.get<std::string>() + piece.text;
      }
    }
    ordered_json json = ordered_json::object();
    if (!reasoning.empty()) json["reasoning_content"] = reasoning;
    if (!content.empty()) json["content"] = content;
    if (!calls.empty()) json["tool_calls"] = std::move(calls);
    return json;
  }

  ordered_json head(bool streamed) const {
    const char* const chat = streamed ? "chat.completion.chunk" : "chat.completion";
    return {{"id", id_},
            {"object", is_chat() ? chat : "text_completion"},
            {"created", wire_.created},
            {"model", wire_.model}};
  }

  std::string chunk(ordered_json choice) const {
    ordered_json json = head(/*streamed=*/true);
    json["choices"] = ordered_json::array({std::move(choice)});
    if (include_usage_) json["usage"] = continuous_usage_ ? usage_so_far() : ordered_json();
    return event(dump(json));
  }

  ordered_json usage_so_far() const {
    return {{"prompt_tokens", num_prompt_tokens_},
            {"completion_tokens", num_new_tokens_},
            {"total_tokens", num_prompt_tokens_ + num_new_tokens_}};
  }

  // The message of a choice as it is read: thoughts, text and calls.
  void put_message(std::size_t place, const CompletionOutput& sample, ordered_json* choice) const {
    const ReadAnswer answer = read_answer(reading_, place, sample.text);
    ordered_json& message = (*choice)["message"];
    const bool silent = answer.content.empty() && !answer.calls.empty();
    message["content"] = silent ? ordered_json() : ordered_json(answer.content);
    if (reading_.reasoning) {
      message["reasoning_content"] =
          answer.reasoning.empty() ? ordered_json() : ordered_json(answer.reasoning);
    }
    if (answer.calls.empty()) return;
    for (const ReadCall& call : answer.calls) {
      message["tool_calls"].push_back(
          {{"id", call.id},
           {"type", "function"},
           {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
    }
    (*choice)["finish_reason"] = reason(sample.finish_reason, /*called=*/true);
  }

  ordered_json choice(std::size_t prompt,
                      const RequestOutput& output,
                      const CompletionOutput& sample) const {
    if (!echo_) {
      ordered_json plain = wire::openai_choice(form_, sample, wire_);
      plain["index"] = place(prompt, sample.index);
      if (is_chat()) put_message(place(prompt, sample.index), sample, &plain);
      return plain;
    }
    CompletionOutput shown = sample;
    if (prompt_only_) {
      shown.text.clear();
      shown.logprobs.clear();
    }
    shown.text.insert(0, prompt_texts_[prompt]);
    shown.logprobs.insert(
        shown.logprobs.begin(), output.prompt_logprobs.begin(), output.prompt_logprobs.end());
    // Nothing stands before the first token that could make it likely.
    if (!sample.logprobs.empty()) {
      shown.logprobs.insert(shown.logprobs.begin(),
                            {.token = first_ids_[prompt],
                             .logprob = std::numeric_limits<float>::quiet_NaN(),
                             .top = {}});
    }
    ordered_json json = wire::openai_choice(form_, shown, wire_);
    json["index"] = place(prompt, sample.index);
    json["finish_reason"] = reason(sample.finish_reason);
    return json;
  }

  LineForm form_;
  int num_samples_;
  std::size_t num_prompts_;
  bool include_usage_;
  bool continuous_usage_;
  bool echo_;
  bool prompt_only_;
  std::vector<std::string> prompt_texts_;
  std::vector<TokenId> first_ids_;
  AnswerReading reading_;
  std::map<std::size_t, AnswerReader> readers_;  // of samples, by their place
  std::int64_t num_prompt_tokens_;
  std::int64_t num_new_tokens_ = 0;  // that the stream has brought
  std::string id_;
  wire::OpenAiContext wire_;
  std::map<std::pair<std::size_t, int>, std::size_t> offsets_;  // of a sample's next token's text
};

}  // namespace

std::unique_ptr<Answer> make_completion_answer(const ApiRequest& request,
                                               std::vector<std::string> prompt_texts,
                                               AnswerContext context) {
  return std::make_unique<CompletionAnswer>(request, std::move(prompt_texts), std::move(context));
}

std::string event(const std::string& data, const std::string& name) {
  return (name.empty() ? "" : "event: " + name + "\n") + "data: " + data + "\n\n";
}

}  // namespace quire::openai
