#pragma once

#include <string>
#include <vector>

#include "quire/generate_request.h"
#include "quire/prompt_encoder.h"
#include "quire/result.h"

namespace quire::openai {

// The beginning of a conversation as a model has read and written it. Its text would give the same
// ids again most of the time, but a model may write a word in tokens of its own choice, and what it
// has computed is found again under these alone.
struct PromptStart {
  std::string text = {};
  std::vector<TokenId> ids = {};
};

// A rendered conversation and its ids.
struct EncodedConversation {
  std::string text;
  std::vector<TokenId> ids;
};

// Renders and encodes a conversation. Where its text goes on from `start`'s with a mark of the
// template, it begins with those ids; an empty one is none.
Result<EncodedConversation> encode_conversation(const PromptEncoder& encoder,
                                                const GenerateRequest& request,
                                                const PromptStart& start);

// The beginning that a prompt and the answer to it are for the next; empty where the ids say more
// than the text (a stop string is cut off, a control token is left out).
PromptStart start_of_next(EncodedConversation prompt,
                          const std::string& answer,
                          std::vector<TokenId> answer_ids,
                          const Tokenizer& tokenizer);

}  // namespace quire::openai
