#include <CLI/CLI.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/cpus.h"
#include "cli/commands.h"
#include "cli/constraint_flags.h"
#include "cli/engine_flags.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "cli/progress_bar.h"
#include "cli/prompt_source.h"
#include "cli/sampling_flags.h"
#include "package/model_package.h"
#include "quire/llm.h"
#include "wire/openai_json.h"
#include "wire/output_json.h"

namespace quire::cli {
namespace {

struct GenerateFlags {
  ModelFlags model;
  SamplingParams params;
  ConstraintFlags constraint;
  std::vector<std::string> prompts;
  std::string file;
  bool raw = false;
  bool token_ids = false;
  bool json = false;
  bool stats = false;
  bool recommended = false;
};

// An answer for each prompt, in their order; prompts that could not be read have their error
// already.
struct Answers {
  std::vector<RequestOutput> outputs;
  double seconds = 0;
  EngineStats stats;
};

Result<std::vector<wire::PromptLine>> collect_prompts(const GenerateFlags& flags,
                                                      const CLI::App& command,
                                                      const Llm& llm) {
  const PromptFormat format{.chat = llm.has_chat_template() && !flags.raw,
                            .token_ids = flags.token_ids};
  const SamplingParams params =
      flags.recommended ? recommended_or_given(command, flags.params, llm) : flags.params;
  std::vector<wire::PromptLine> prompts;
  prompts.reserve(flags.prompts.size());
  for (const std::string& text : flags.prompts) {
    prompts.push_back(prompt_from_text(text, format, params));
  }
  if (!flags.file.empty()) {
    QUIRE_ASSIGN(auto more, prompts_from_file(flags.file, format, params));
    for (wire::PromptLine& prompt : more) prompts.push_back(std::move(prompt));
  }
  if (prompts.empty()) {
    return invalid_argument(
        "there is no prompt; give one as an argument, or a file of them with --file");
  }
  return prompts;
}

Answers answer(const std::vector<wire::PromptLine>& prompts, bool show_stats, Llm* llm) {
  Answers answers;
  answers.outputs.resize(prompts.size());
  std::vector<GenerateRequest> requests;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const Result<GenerateRequest>& request = prompts[i].request;
    if (request) {
      requests.push_back(*request);
      places.push_back(i);
    } else {
      answers.outputs[i].error = request.error();
    }
  }
  ProgressBar bar;
  StatsLine stats_line;
  const auto start = std::chrono::steady_clock::now();
  std::vector<RequestOutput> outputs = llm->generate(requests, [&](const Progress& progress) {
    show_stats ? stats_line.update(progress) : bar.update(progress);
  });
  bar.clear();
  answers.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    answers.outputs[places[i]] = std::move(outputs[i]);
  }
  answers.stats = llm->stats();
  return answers;
}

void print_text(const std::vector<RequestOutput>& outputs,
                const std::vector<wire::PromptLine>& prompts) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const RequestOutput& output = outputs[i];
    if (!output.error.ok()) {
      report(output.error.with_context("prompt " + std::to_string(i + 1)));
      continue;
    }
    if (outputs.size() > 1) {
      const auto* messages = std::get_if<std::vector<ChatMessage>>(&prompts[i].request->prompt);
      const auto* text = std::get_if<std::string>(&prompts[i].request->prompt);
      print_out("[%zu] ", i + 1);
      write_out_text(messages != nullptr ? messages->back().content : text != nullptr ? *text : "");
      write_out("\n");
    }
    for (const CompletionOutput& sample : output.outputs) {
      if (output.outputs.size() > 1) print_out("(%d) ", sample.index + 1);
      write_out_text(sample.text);
      write_out("\n");
    }
    if (outputs.size() > 1) write_out("\n");
  }
}

// A line of OpenAI's batch form gets its answer in that form.
void print_json(const std::vector<RequestOutput>& outputs,
                const std::vector<wire::PromptLine>& prompts,
                const std::string& package,
                const Llm& llm) {
  wire::OpenAiContext context{.tokenizer = llm.tokenizer()};
  context.created = std::chrono::duration_cast<std::chrono::seconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count();
  std::size_t num_failed = 0;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const wire::PromptLine& prompt = prompts[i];
    context.model = prompt.model.empty() ? package : prompt.model;
    write_out(prompt.form == wire::LineForm::kQuire
                  ? wire::output_json(i, prompt.id_json, outputs[i])
                  : wire::openai_batch_json(i, prompt, outputs[i], context));
    write_out("\n");
    if (!outputs[i].error.ok()) ++num_failed;
  }
  if (num_failed == 0) return;
  std::fprintf(stderr,
               "quire: %zu of %zu prompts failed; their lines say why\n",
               num_failed,
               outputs.size());
}

void print_speed(const Answers& answers) {
  std::int64_t num_tokens = 0;
  for (const RequestOutput& output : answers.outputs) {
    for (const CompletionOutput& sample : output.outputs) {
      num_tokens += static_cast<std::int64_t>(sample.token_ids.size());
    }
  }
  std::fprintf(stderr,
               "%zu prompts, %lld tokens in %.2f s: %.1f tok/s\n",
               answers.outputs.size(),
               static_cast<long long>(num_tokens),
               answers.seconds,
               static_cast<double>(num_tokens) / std::max(answers.seconds, 1e-9));
  if (answers.stats.num_draft_tokens == 0) return;
  std::fprintf(stderr,
               "speculation: %lld of %lld guesses right, %lld steps\n",
               static_cast<long long>(answers.stats.num_accepted_tokens),
               static_cast<long long>(answers.stats.num_draft_tokens),
               static_cast<long long>(answers.stats.num_steps));
}

void print_cpus(const EngineOptions& options) {
  const std::string found = describe_cpus(read_cpu_limits());
  if (options.num_threads == 0) {
    std::fprintf(stderr, "%s\n", found.c_str());
  } else {
    std::fprintf(stderr, "--threads %d; without it %s\n", options.num_threads, found.c_str());
  }
}

int run_generate(GenerateFlags flags, const CLI::App& command) {
  if (flags.model.show_config) return show_config(flags.model);
  if (Status status = apply(flags.constraint, &flags.params); !status.ok()) return report(status);
  // Read before the model is opened: a wrong flag or file is told at once.
  if (Status status = validate(flags.params, std::numeric_limits<int>::max()); !status.ok()) {
    return report(status);
  }
  if (flags.stats) print_cpus(flags.model.engine);
  Result<Llm> llm = Llm::open(flags.model.package, engine_options(flags.model));
  if (!llm) return report(llm.error());
  // A constraint that cannot be is told before anything is computed.
  if (const auto made = llm->encoder().compile(flags.params); !made) return report(made.error());
  const auto prompts = collect_prompts(flags, command, *llm);
  if (!prompts) return report(prompts.error());
  const Answers answers = answer(*prompts, flags.stats, &*llm);
  if (flags.json) {
    print_json(answers.outputs, *prompts, package_name(package_folder(flags.model.package)), *llm);
  } else {
    print_text(answers.outputs, *prompts);
  }
  flush_out();
  if (flags.stats || (!flags.json && isatty(STDERR_FILENO) == 1)) print_speed(answers);
  bool any_failed = false;
  for (const RequestOutput& output : answers.outputs) any_failed |= !output.error.ok();
  // A single bad prompt given by hand is wrong usage; in a batch it is one failure among answers.
  if (any_failed && prompts->size() == 1 && !flags.json && flags.file.empty()) {
    return answers.outputs.front().error.code() == StatusCode::kInvalidArgument ? kExitUsage
                                                                                : kExitFailure;
  }
  return any_failed ? kExitFailure : kExitOk;
}

}  // namespace

void add_generate_command(CLI::App* app, Action* action) {
  auto flags = std::make_shared<GenerateFlags>();  // shared with the action that outlives this call
  CLI::App* command = app->add_subcommand("generate", "Answer prompts, many at once");
  command->footer(
      "Conversations are sampled as the package's generation_config.json recommends (most "
      "packages:\n"
      "greedily) unless told otherwise, --raw and --token-ids prompts greedily.\n"
      "Examples:\n"
      "  quire generate -m models/smollm2-135m-instruct \"What is the capital of France?\"\n"
      "  quire generate -m PKG --file questions.txt -n 64 --temperature 0.7 --top-p 0.9 --seed 1\n"
      "  quire generate -m PKG --file prompts.jsonl --json > answers.jsonl\n"
      "  quire generate -m PKG --choice yes --choice no \"Is the sky blue?\"\n"
      "  quire generate -m PKG --raw \"Once upon a time\"\n"
      "  quire generate -m PKG --token-ids 1,4093,198");
  add_model_flags(command, &flags->model);
  add_tools_flag(command, &flags->model);
  add_sampling_flags(command, &flags->params);
  add_constraint_flags(command, &flags->constraint);
  command->add_flag("--recommended",
                    flags->recommended,
                    "Sample as the package's generation_config.json says, where no flag or field "
                    "of a prompt does; without this: greedy, 256 tokens");
  command->add_option("prompt", flags->prompts, "Prompts");
  command->add_option(
      "--file",
      flags->file,
      "A file of prompts, - for stdin: one a line, or one JSON object a line (.jsonl, "
      "OpenAI's batch files too)");
  command->add_flag("--raw", flags->raw, "No chat template: continue the text as it is");
  command->add_flag(
      "--token-ids", flags->token_ids, "Prompts are comma-separated token ids; they need no --raw");
  command->add_flag("--json", flags->json, "One JSON object a prompt on stdout");
  command->add_flag(
      "--stats",
      flags->stats,
      "The processors found, a line about the engine every second, and the speed at the end, "
      "on stderr");
  command->callback([flags, command, action] {
    *action = [flags, command] { return run_generate(*flags, *command); };
  });
}

}  // namespace quire::cli
