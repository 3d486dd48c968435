#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reasoning/reasoning.h"
#include "tool_calls/call_parser.h"

namespace quire::openai {

// How the calls in an answer are written, of a request that has tools.
struct ToolReading {
  tool_calls::Format format = tool_calls::Format::kNone;  // kNone: all is text
  std::shared_ptr<const tool_calls::FunctionList> functions;
  std::string start;       // of the answer, which stands in the prompt already
  bool parallel = true;    // several calls, or the first alone
  bool short_ids = false;  // nine characters, which is all that Mistral's templates take
};

// How an answer's text is read.
struct AnswerReading {
  std::optional<ReasoningMarkers> reasoning;  // of a model that thinks
  bool in_reasoning = false;                  // the prompt ends in the middle of thoughts
  ToolReading tools;
  std::string id;  // of the whole answer, unlike any other's

  const ReasoningMarkers* markers() const { return reasoning ? &*reasoning : nullptr; }
};

// A call as clients get it.
struct ReadCall {
  std::string id;
  std::string name;
  std::string arguments;
};

// A stretch of an answer: thoughts, text, or a part of a call. A call is begun, gets its arguments,
// and ends or breaks; what broke is said as text behind it.
struct AnswerPiece {
  enum class Kind { kReasoning, kContent, kCallBegin, kCallArguments, kCallEnd, kCallBroken };
  Kind kind = Kind::kContent;
  std::string text = {};     // of a call's beginning: the function
  std::size_t index = 0;     // of the call among those of the answer
  std::string call_id = {};  // of a call's beginning
};

// Reads one sample's text as it comes.
class AnswerReader {
 public:
  // `reading` must outlive this; `place`: of the sample among all of the answer.
  AnswerReader(const AnswerReading* reading, std::size_t place);

  std::vector<AnswerPiece> feed(std::string_view text);
  std::vector<AnswerPiece> finish();
  // Whether a whole call has come.
  bool has_call() const { return num_whole_ > 0; }

 private:
  void sort(const SplitText& split, std::vector<AnswerPiece>* pieces);
  void add(const tool_calls::Events& events, std::vector<AnswerPiece>* pieces);

  const AnswerReading* reading_;
  std::size_t place_;
  ReasoningSplitter splitter_;
  std::optional<tool_calls::CallParser> parser_;
  bool started_ = false;
  std::size_t num_begun_ = 0;
  std::size_t num_whole_ = 0;
  bool dropped_ = false;  // the call under way is one too many
};

// A whole answer, read.
struct ReadAnswer {
  std::string reasoning;
  std::string content;
  std::vector<ReadCall> calls;
};
ReadAnswer read_answer(const AnswerReading& reading, std::size_t place, std::string_view text);

}  // namespace quire::openai
