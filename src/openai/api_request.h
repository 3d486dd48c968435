#pragma once

#include <cstddef>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "openai/response_store.h"
#include "quire/llm.h"
#include "wire/prompt_json.h"

namespace quire::openai {

// How much one request may ask for; over it there is a 400 that says so.
struct ApiLimits {
  std::size_t messages = 2048;
  std::size_t parts = 256;  // of a message's content
  std::size_t prompts = 64;
  std::size_t tools = 128;                // and calls of a message
  std::size_t tool_bytes = 64 * 1024;     // of a function, its schema included
  std::size_t function_name_bytes = 128;  // OpenAI has 64; names of MCP servers are longer
  int samples = 16;
  std::size_t ids = 128 * 1024;  // to make text of
};

// A body that is a JSON object whose model, if it names one, is a text: the text as it came, for
// what is handed on, and its values.
class ApiBody {
 public:
  static Result<ApiBody> parse(std::string text);

  const nlohmann::json& json() const { return json_; }
  const std::string& text() const { return text_; }
  // The model it asks for; empty if it names none.
  std::string model() const;
  // Takes fields out, so that nobody after this one sees them.
  void remove(const std::vector<std::string>& names);

 private:
  std::string text_;
  nlohmann::json json_;
};

// What a request for a response says beside what the engine computes: for its answer to repeat, and
// for the store to keep.
struct ResponseForm {
  nlohmann::ordered_json echo;           // fields of the answer
  std::string messages;                  // the conversation without instructions, a JSON array
  std::vector<std::string> input_items;  // JSON each
  bool with_logprobs = false;
  bool store = true;
  Caller caller;
  std::shared_ptr<const StoredResponse> previous;  // null: a conversation begins
};

// What a completion or chat completion asks for: of the engine, one request a prompt, and of the
// answer's form.
struct ApiRequest {
  wire::LineForm form = wire::LineForm::kOpenAiChat;
  std::string model;
  std::vector<GenerateRequest> requests;
  bool stream = false;
  bool include_usage = false;
  bool continuous_usage = false;  // vLLM's continuous_usage_stats: in every piece, so far
  bool echo = false;
  std::shared_ptr<ResponseForm> response;  // of a request for a response; else null
  bool prompt_only = false;  // max_tokens 0: nothing new, the prompt's log-probabilities at most

  int num_samples() const;  // of all prompts together
};

// Reads a body of /v1/chat/completions or /v1/completions; what it leaves out is as in `defaults`.
// Every field is understood, without effect on an answer, or refused by name.
Result<ApiRequest> read_api_request(wire::LineForm form,
                                    ApiBody body,
                                    const SamplingParams& defaults,
                                    const ApiLimits& limits = {});

}  // namespace quire::openai
