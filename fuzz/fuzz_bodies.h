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

// Any bytes as model.onnx: passed on to the runtime, or refused in one line.
void onnx_inspect(std::string_view input);

// Any bytes as model.onnx in the own executor: refused in one line, or a step that runs.
void graph_model(std::string_view input);

// Any bytes as model_info.json: refused in one line, or sizes that hold together.
void model_info(std::string_view input);

// Any bytes as a line of a prompts file: refused in one line, or a request to validate.
void prompt_json(std::string_view input);

// Any bytes as the body of a request to the server, the first of them the endpoint: refused, or an
// answer that is JSON.
void api_request(std::string_view input);

// Any bytes as an answer in the format that the first of them names: the same calls and content
// wherever it is cut, calls that anybody may run, and all else as it was.
void tool_calls(std::string_view input);

// Any bytes as a JSON Schema, a pattern or a grammar: refused in one line, or every text that its
// masks begin can go on or end.
void grammar(std::string_view input);

// Any bytes as a configuration file: refused in one line, or names with values.
void config_file(std::string_view input);

}  // namespace quire::fuzz
