#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "openai/answer_reader.h"
#include "openai/api_error.h"
#include "openai/api_request.h"
#include "openai/prompt_start.h"
#include "quire/output.h"
#include "quire/tokenizer.h"

namespace quire::openai {

// Makes what a client reads of what the engine brings: one for a request of HTTP, which may have
// several prompts. A streamed answer is begin(), delta() and finished() as they come, end(), or
// failure() in place of the rest; any other is whole(). Each returns events of the stream, or "".
class Answer {
 public:
  Answer() = default;
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;
  virtual ~Answer() = default;

  virtual std::string begin() = 0;
  virtual std::string delta(std::size_t prompt, const TextDelta& delta) = 0;
  virtual std::string end(const std::vector<RequestOutput>& outputs) = 0;
  virtual std::string whole(const std::vector<RequestOutput>& outputs) = 0;
  virtual std::string failure(const ApiError& error) = 0;
};

// What an answer says beside the text.
struct AnswerContext {
  std::string id;  // without the prefix of its kind
  std::string model;
  std::int64_t created = 0;              // seconds since 1970
  const Tokenizer* tokenizer = nullptr;  // may be null; outlives the answer
  std::int64_t num_prompt_tokens = 0;
  std::vector<TokenId> first_ids = {};  // of each prompt
  EncodedConversation prompt = {};      // of a response, for the next to go on from
  AnswerReading reading = {};           // of a conversation's answer
};

// The answer to a completion or chat completion; `prompt_texts` are for an echo.
std::unique_ptr<Answer> make_completion_answer(const ApiRequest& request,
                                               std::vector<std::string> prompt_texts,
                                               AnswerContext context);

// A server-sent event with this data; with a name in front where one is given.
std::string event(const std::string& data, const std::string& name = {});

}  // namespace quire::openai
