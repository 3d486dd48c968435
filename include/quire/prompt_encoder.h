#pragma once

#include <memory>
#include <vector>

#include "quire/chat.h"
#include "quire/generate_request.h"
#include "quire/result.h"
#include "quire/sampling_params.h"
#include "quire/tokenizer.h"

namespace quire {

// What makes token ids of a prompt: a tokenizer, a chat template, and what belongs before plain
// texts. Immutable, so any thread may use it while another steps the engine; copies share their
// parts, which live as long as the last of them.
class PromptEncoder {
 public:
  struct Parts;  // src/llm/encoder_parts.h
  explicit PromptEncoder(std::shared_ptr<const Parts> parts);

  // Ids of the request's prompt as the engine gets them. Fails with kInvalidArgument: a prompt that
  // this package has no tokenizer or no template for, that its template refuses, or that is not
  // UTF-8.
  Result<std::vector<TokenId>> encode(const GenerateRequest& request) const;

  // The prompt of messages as the package's template writes it; fails as encode() does.
  Result<std::vector<TextSpan>> render(const GenerateRequest& request) const;

  // The constraint that params.structured_output asks for, null for none; one that was asked for
  // lately is not made again. Fails with kInvalidArgument: a schema, pattern or grammar that is not
  // understood, would not be enforced, or is over the limits.
  Result<std::shared_ptr<const Constraint>> compile(const SamplingParams& params) const;

  bool has_chat_template() const;
  // What the template does with tools.
  const ToolSupport& tool_support() const;
  // The beginning of a call that stands at the end of a prompt where the choice of tools requires
  // one: the model goes on from it. Empty for any other request.
  std::string answer_start(const GenerateRequest& request) const;
  const Tokenizer* tokenizer() const;  // null without one; lives as long as this or a copy

 private:
  std::shared_ptr<const Parts> parts_;
};

}  // namespace quire
