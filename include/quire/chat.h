#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quire/result.h"
#include "quire/tokenizer.h"

namespace quire {

// One message of a conversation.
struct ChatMessage {
  std::string role;
  std::string content;
  // More fields of the message as the text of a JSON object, for example tool_calls or name; empty
  // for none. A field given here stands in for `content` or `role`. Content may be
  // null, or a list of parts.
  std::string extra_json = {};
};

struct ChatRenderOptions {
  bool add_generation_prompt = true;
  std::string bos_token;  // of the package; undefined in the template when empty
  std::string eos_token;
  std::string tools_json;          // a JSON array of tools; empty for none
  std::string extra_context_json;  // a JSON object of further variables, such as enable_thinking
  // Whether parts of type text are joined to a string, one a line, for a template that does not go
  // through them itself; rendering then fails on a part of another type. Jinja would print the
  // list.
  bool join_text_parts = false;
  std::optional<std::int64_t> now_seconds;  // since 1970, for strftime_now; the clock's otherwise
};

// What a chat template does with tools.
struct ToolSupport {
  std::string format = {};      // of a model's calls, as in docs/tools.md; empty: not known
  bool in_template = false;     // whether the template tells the model of a request's tools
  bool text_arguments = false;  // whether it wants the arguments of calls as text, not as objects
};

// A chat template of the kind published with models: a subset of Jinja that runs under limits, with
// the settings of the Hugging Face library. Text knows where it comes from: only what is written in
// the template itself and the two tokens of the options is trusted, so nobody can spell a control
// token in a message. Immutable once parsed: render() may be called from any thread.
class ChatTemplate {
 public:
  // Fails with kBadModel and the line of what is wrong.
  static Result<ChatTemplate> parse(std::string_view source);

  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

  // The prompt, for Tokenizer::encode_spans. Fails with kInvalidArgument when the template raises
  // an exception (with its message), meets a value it cannot use, or exceeds a limit: 2 million
  // steps, 4 MiB and four times the input of text.
  Result<std::vector<TextSpan>> render(std::span<const ChatMessage> messages,
                                       const ChatRenderOptions& options) const;

  // The texts that the template writes itself, for TokenizerOptions::template_texts: the markers
  // among them are control tokens, whatever tokenizer.json calls them.
  std::vector<std::string> own_texts() const;

 private:
  struct Program;
  explicit ChatTemplate(std::unique_ptr<const Program> program);

  std::unique_ptr<const Program> program_;
};

}  // namespace quire
