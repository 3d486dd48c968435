#include "llm/tool_answers.h"

#include <string>
#include <string_view>
#include <utility>

#include "reasoning/reasoning.h"
#include "tool_calls/call_parser.h"
#include "tool_calls/constraint.h"

namespace quire {
namespace {

tool_calls::Format format_of(const PromptEncoder& encoder, const GenerateRequest& request) {
  if (request.tools_json.empty()) return tool_calls::Format::kNone;
  return tool_calls::format_of_name(encoder.tool_support().format)
      .value_or(tool_calls::Format::kNone);
}

// How much of a text is thoughts: none where it does not begin with them.
std::size_t thoughts_length(const Tokenizer* tokenizer, std::string_view text) {
  const auto markers = find_reasoning_markers(tokenizer);
  if (!markers) return 0;
  const std::size_t close = text.find(markers->close);
  if (close != std::string_view::npos) return close + markers->close.size();
  return text.find(markers->open) == std::string_view::npos ? 0 : text.size();
}

}  // namespace

void keep_tool_markers(const PromptEncoder& encoder, GenerateRequest* request) {
  const Tokenizer* const tokenizer = encoder.tokenizer();
  if (tokenizer == nullptr) return;
  for (const std::string& text : tool_calls::marker_texts(format_of(encoder, *request))) {
    const auto id = tokenizer->id_of(text);
    if (id && tokenizer->is_special(*id)) request->params.skip_special_tokens = false;
  }
}

Status constrain_call(const PromptEncoder& encoder, GenerateRequest* request) {
  if (!request->tool_choice.required) return ok_status();
  if (!request->params.structured_output.empty()) {
    return invalid_argument(
        "tool_choice forces a call, which cannot follow a format as well; leave one of them out");
  }
  const Tokenizer* const tokenizer = encoder.tokenizer();
  QUIRE_ASSIGN(const auto functions, tool_calls::FunctionList::parse(request->tools_json));
  if (tokenizer == nullptr) return ok_status();
  request->params.structured_output = tool_calls::call_constraint(
      format_of(encoder, *request), functions, request->tool_choice, [&](std::string_view text) {
        return tokenizer->id_of(text);
      });
  return ok_status();
}

void read_tool_calls(const PromptEncoder& encoder,
                     const GenerateRequest& request,
                     RequestOutput* output) {
  const tool_calls::Format format = format_of(encoder, request);
  if (format == tool_calls::Format::kNone) return;
  const auto functions = tool_calls::FunctionList::parse(request.tools_json);
  if (!functions) return;
  const std::string start = encoder.answer_start(request);
  for (CompletionOutput& sample : output->outputs) {
    const std::size_t thoughts =
        start.empty() ? thoughts_length(encoder.tokenizer(), sample.text) : 0;
    tool_calls::Answer answer =
        tool_calls::parse_answer(format, *functions, start + sample.text.substr(thoughts));
    if (answer.calls.empty()) continue;
    sample.text = sample.text.substr(0, thoughts) + answer.content;
    for (tool_calls::Call& call : answer.calls) {
      sample.tool_calls.push_back({std::move(call.name), std::move(call.arguments)});
      if (!request.tool_choice.parallel) break;
    }
  }
}

}  // namespace quire
