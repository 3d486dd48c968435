#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "quire/chat.h"
#include "quire/sampling_params.h"
#include "quire/types.h"

namespace quire {

class Constraint;

// What to continue: plain text, a conversation (rendered with the package's chat template), or ids.
using Prompt = std::variant<std::string, std::vector<ChatMessage>, std::vector<TokenId>>;

// Which of a request's tools its answer may call, or must.
struct ToolChoice {
  bool required = false;      // the answer begins with a call
  std::string function = {};  // of this one; empty: of any
  bool parallel = true;       // several calls, or the first alone
};

// One prompt with its own parameters.
struct GenerateRequest {
  Prompt prompt;
  SamplingParams params = {};
  int priority = 0;             // lower runs first
  std::string cache_salt = {};  // prompts share cached blocks only under the same salt
  // For the chat template of a conversation: a JSON array of tools, and a JSON object of further
  // variables, such as enable_thinking. Empty for none.
  std::string tools_json = {};
  std::string template_context_json = {};
  // Whether a conversation is rendered with the beginning of an answer behind it; and whether the
  // last message is such a beginning itself, to be gone on with.
  bool add_generation_prompt = true;
  bool continue_final_message = false;
  ToolChoice tool_choice = {};
  // What PromptEncoder::compile() made of params.structured_output, on a thread that may take its
  // time. Null: made when the request is submitted.
  std::shared_ptr<const Constraint> constraint = {};
  double timeout_ms = 0;  // from submission to its end, past which it fails; 0: none
};

}  // namespace quire
