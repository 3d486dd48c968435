#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cli/commands.h"
#include "cli/constraint_flags.h"
#include "cli/engine_flags.h"
#include "cli/exit_code.h"
#include "cli/line_editor.h"
#include "cli/output.h"
#include "cli/sampling_flags.h"
#include "quire/llm.h"
#include "quire/printable.h"

namespace quire::cli {
namespace {

struct ChatFlags {
  ModelFlags model;
  SamplingParams params{.max_tokens = 1024};
  ConstraintFlags constraint;
  std::string system;
};

// Set by Ctrl-C while an answer is written: the answer ends, the conversation goes on.
std::atomic<bool> interrupted = false;

void on_interrupt(int) { interrupted = true; }

// Writes an answer as it comes, calls and results of a tool in brackets: [12*7 = 84].
class AnswerWriter {
 public:
  void write(const TextDelta& delta) {
    if (delta.kind != kind_) {
      if (kind_ == PartKind::kText) write_out("[");
      if (delta.kind == PartKind::kToolResult) write_out(" = ");
      if (delta.kind == PartKind::kText) write_out("] ");
      kind_ = delta.kind;
    }
    write_out_text(delta.text);
    flush_out();
  }
  void finish() const { write_out(kind_ == PartKind::kText ? "\n" : "]\n"); }

 private:
  PartKind kind_ = PartKind::kText;
};

// An answer as a message of the conversation. One with a tool's parts keeps them apart, under the
// names nanochat's template has for them: their markers must come from the template, since in a
// text they would be ordinary characters.
ChatMessage message_of(const CompletionOutput& sample) {
  ChatMessage message{.role = "assistant", .content = sample.text};
  if (sample.parts.empty()) return message;
  nlohmann::json content = nlohmann::json::array();
  for (const OutputPart& part : sample.parts) {
    const char* const type = part.kind == PartKind::kText       ? "text"
                             : part.kind == PartKind::kToolCall ? "python"
                                                                : "python_output";
    content.push_back({{"type", type}, {"text", part.text}});
  }
  message.extra_json = nlohmann::json{{"content", content}}.dump();
  return message;
}

// A conversation with one model.
class Chat {
 public:
  Chat(Llm llm, SamplingParams params, std::string system)
      : llm_(std::move(llm)), params_(std::move(params)), system_(std::move(system)) {
    reset();
  }

  // Answers one line; false when it ends the conversation.
  bool take(const std::string& line) {
    if (line == "/exit" || line == "/quit") return false;
    if (line.empty()) return true;
    if (line.front() == '/') {
      command(line);
    } else {
      answer(line);
    }
    return true;
  }

 private:
  void reset() {
    messages_.clear();
    if (!system_.empty()) {
      messages_.push_back({.role = "system", .content = system_});
    }
  }

  void command(const std::string& line) {
    if (line == "/reset") {
      reset();
      write_out("the conversation starts anew\n");
    } else if (line == "/stats") {
      print_stats();
    } else {
      if (line != "/help") print_out("there is no command %s\n", printable(line).c_str());
      write_out(
          "/reset  forget the conversation\n"
          "/stats  tokens, speed and cache of the last answer\n"
          "/exit   leave (so does Ctrl-D); Ctrl-C ends an answer\n");
    }
  }

  void print_stats() const {
    const EngineStats stats = llm_.stats();
    print_out(
        "last answer: %d prompt tokens, %d of them cached, first token after %.0f ms, %.1f tok/s\n",
        last_.num_prompt_tokens,
        last_.num_cached_tokens,
        last_.timings.first_token_ms,
        last_rate_);
    print_out("cache: %d of %d blocks in use\n", stats.num_used_blocks, stats.num_blocks);
  }

  void answer(const std::string& line) {
    messages_.push_back({.role = "user", .content = line});
    const auto id = llm_.submit({.prompt = messages_, .params = params_});
    if (!id) {
      messages_.pop_back();
      report(id.error().with_context("not sent; /reset begins a new conversation"));
      return;
    }
    interrupted = false;
    AnswerWriter writer;
    while (llm_.has_unfinished()) {
      if (interrupted) llm_.cancel(*id);
      StepOutput output = llm_.step();
      for (const TextDelta& delta : output.deltas) writer.write(delta);
      for (RequestOutput& finished : output.finished) last_ = std::move(finished);
    }
    writer.finish();
    finish_answer();
  }

  void finish_answer() {
    if (!last_.error.ok()) {
      messages_.pop_back();
      report(last_.error);
      return;
    }
    const CompletionOutput& sample = last_.outputs.front();
    const double writing_ms = last_.timings.total_ms - last_.timings.first_token_ms;
    const auto num_written = static_cast<double>(sample.token_ids.size()) - 1;
    last_rate_ = writing_ms > 0 ? num_written / writing_ms * 1e3 : 0;
    messages_.push_back(message_of(sample));
  }

  Llm llm_;
  SamplingParams params_;
  std::string system_;
  std::vector<ChatMessage> messages_;
  RequestOutput last_;
  double last_rate_ = 0;
};

int run_chat(const ChatFlags& flags, const CLI::App& command) {
  if (flags.model.show_config) return show_config(flags.model);
  Result<Llm> llm = Llm::open(flags.model.package, engine_options(flags.model));
  if (!llm) return report(llm.error());
  if (!llm->has_chat_template()) {
    return report(bad_model(flags.model.package.string() +
                            " has no chat template; use quire generate --raw"));
  }
  SamplingParams params = recommended_or_given(command, flags.params, *llm);
  if (Status status = validate(params, llm->runner().spec().vocab_size); !status.ok()) {
    return report(status);
  }
  params.n = 1;
  if (Status status = apply(flags.constraint, &params); !status.ok()) return report(status);
  if (const auto made = llm->encoder().compile(params); !made) return report(made.error());
  std::signal(SIGINT, on_interrupt);
  LineEditor editor(chat_history_file());
  Chat chat(*std::move(llm), std::move(params), flags.system);
  if (isatty(STDIN_FILENO) == 1) write_out("Type a message, or /help.\n");
  flush_out();
  while (true) {
    const auto line = editor.read_line("> ");
    if (!line) return report(line.error());
    if (!*line || !chat.take(**line)) return kExitOk;
    flush_out();
  }
}

}  // namespace

void add_chat_command(CLI::App* app, Action* action) {
  auto flags = std::make_shared<ChatFlags>();  // shared with the action that outlives this call
  CLI::App* command = app->add_subcommand("chat", "Talk with a model");
  command->footer(
      "Sampling follows the package's generation_config.json unless told otherwise.\n"
      "Examples:\n"
      "  quire chat -m models/smollm2-135m-instruct\n"
      "  quire chat -m PKG --system \"Answer in one sentence.\" --temperature 0.7\n"
      "  echo \"What is the capital of France?\" | quire chat -m PKG");
  add_model_flags(command, &flags->model);
  add_tools_flag(command, &flags->model);
  add_sampling_flags(command, &flags->params);
  add_constraint_flags(command, &flags->constraint);
  command->add_option("--system", flags->system, "A system message to begin with");
  command->callback([flags, command, action] {
    *action = [flags, command] { return run_chat(*flags, *command); };
  });
}

}  // namespace quire::cli
