#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quire::tool_calls {

// How a model writes the calls of tools into its answer. Formats are facts of the models'
// templates:
//
//   kHermes         <tool_call>{"name": "f", "arguments": {...}}</tool_call>    (Hermes, Qwen,
//   SmolLM3) kQwenXml <tool_call><function=f><parameter=x>...</parameter></function></tool_call>
//   kLlama          {"name": "f", "parameters": {...}} at the beginning, or behind <|python_tag|>
//   kMistral        [TOOL_CALLS][{"name": "f", "arguments": {...}}]
//   kMistralArgs    [TOOL_CALLS]f[ARGS]{...}; either of Mistral's is read in both ways
//   kGemma          ```tool_code with f(x=1) in it, or ```json with an object as of kLlama
//   kFunctionGemma  <start_function_call>call:f{x:<escape>text<escape>,y:1}<end_function_call>
//   kNanochat       <|python_start|>expression<|python_end|>, the call of the one tool there is
//   kJson           an object with a name and arguments or parameters, bare or in a fence or a tag
enum class Format {
  kNone,
  kHermes,
  kQwenXml,
  kLlama,
  kMistral,
  kMistralArgs,
  kGemma,
  kFunctionGemma,
  kNanochat,
  kJson
};

// As the option tool_format and `inspect` name it: "hermes", "qwen_xml", ...; "none" for kNone.
std::string_view format_name(Format format);
// Whether it is one of Mistral's, whose templates take ids of nine letters and digits alone.
bool is_mistral(Format format);
std::optional<Format> format_of_name(std::string_view name);
// All names, for a message.
std::string format_names();

// What stands around the calls of a format.
struct Syntax {
  std::vector<std::string> openers;  // each begins a call wherever it stands
  std::vector<std::string> closers;  // may stand behind a call, and says nothing
  bool bare = false;                 // a call may begin the answer without an opener
};
const Syntax& syntax_of(Format format);

// The texts of a format that a tokenizer may have as tokens, special ones among them: they must be
// in the text that a parser gets.
std::vector<std::string> marker_texts(Format format);

// The beginning of an answer that is to be a call: all up to the name, or to the arguments of the
// function named. Empty for a format that has none.
std::string call_start(Format format, std::string_view function = {});

}  // namespace quire::tool_calls
