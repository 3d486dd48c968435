#pragma once

#include <string_view>

// What each fuzzer does with one input. A body returns when all its properties hold and aborts by
// QUIRE_CHECK when one does not. The unit tests replay the bodies over fuzz/corpus.
namespace quire::fuzz {

// Any bytes as tokenizer.json: refused, or a tokenizer whose ids stay inside its vocabulary and
// that never makes a special token of plain text.
void tokenizer_json(std::string_view input);

// Any bytes as a chat template: refused, or a prompt of UTF-8 in which nothing said by a message is
// trusted.
void chat_template(std::string_view input);

// Any bytes as the tokens of a stream: its pieces are UTF-8 and together equal the decoded whole.
void stream_decoder(std::string_view input);

// Any bytes as an expression: refused, or a printable result that brackets do not change.
void calculator(std::string_view input);

// Any bytes as the decisions of a crowd of requests (crowd_body.h): every answer is the answer
// alone.
void crowd(std::string_view input);

}  // namespace quire::fuzz
