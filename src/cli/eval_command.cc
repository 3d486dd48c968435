#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/file.h"
#include "cli/commands.h"
#include "cli/engine_flags.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "eval/bench_requests.h"
#include "eval/perplexity.h"

namespace quire::cli {
namespace {

constexpr std::uint64_t kMaxTextBytes = std::uint64_t{256} << 20U;

struct EvalFlags {
  ModelFlags model;
  std::filesystem::path file;
  PerplexityOptions options;
  bool json = false;
};

void print_json(const PerplexityReport& report, double seconds) {
  const nlohmann::ordered_json json = {{"tokens", report.num_tokens},
                                       {"perplexity", report.perplexity},
                                       {"nll", report.mean_nll},
                                       {"bits_per_byte", report.bits_per_byte},
                                       {"accuracy", report.accuracy},
                                       {"accuracy_top_5", report.accuracy_of_top_5},
                                       {"seconds", seconds}};
  print_out("%s\n", json.dump().c_str());
}

void print_text(const PerplexityReport& report, double seconds) {
  print_out("perplexity %.4f over %lld tokens\n",
            report.perplexity,
            static_cast<long long>(report.num_tokens));
  print_out("  bits a byte         %.4f\n", report.bits_per_byte);
  print_out("  next token likeliest %.2f %%, among the best five %.2f %%\n",
            100 * report.accuracy,
            100 * report.accuracy_of_top_5);
  print_out("  %.1f s, %.0f tokens/s\n", seconds, static_cast<double>(report.num_tokens) / seconds);
}

int run_eval(const EvalFlags& flags) {
  if (flags.model.show_config) return show_config(flags.model);
  const auto text = read_file(flags.file, kMaxTextBytes);
  if (!text) return report(text.error());
  Result<Llm> llm = Llm::open(flags.model.package, engine_options(flags.model));
  if (!llm) return report(llm.error());
  PerplexityOptions options = flags.options;
  const bool terminal = isatty(STDERR_FILENO) == 1;
  if (terminal) {
    options.on_progress = [](std::int64_t done, std::int64_t all) {
      std::fprintf(stderr,
                   "\r\x1b[K%lld of %lld tokens",
                   static_cast<long long>(done),
                   static_cast<long long>(all));
    };
  }
  const auto start = BenchClock::now();
  const auto result = measure_perplexity(*text, options, &*llm);
  if (terminal) std::fprintf(stderr, "\r\x1b[K");
  if (!result) return report(result.error());
  const double seconds = seconds_since(start);
  flags.json ? print_json(*result, seconds) : print_text(*result, seconds);
  return kExitOk;
}

}  // namespace

void add_eval_command(CLI::App* app, Action* action) {
  auto flags = std::make_shared<EvalFlags>();  // shared with the action that outlives this call
  CLI::App* command = app->add_subcommand("eval", "How well a model foretells a text: perplexity");
  command->footer("Example:\n  quire eval -m PKG --file benchmarks/data/alice.txt");
  add_model_flags(command, &flags->model);
  command->add_option("--file", flags->file, "The text")->required();
  command->add_option("--context", flags->options.context, "Tokens of a window")
      ->capture_default_str();
  command->add_option("--limit", flags->options.limit, "Tokens of the text at most; 0: all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_flag("--json", flags->json, "One JSON object on stdout");
  command->callback([flags, action] { *action = [flags] { return run_eval(*flags); }; });
}

}  // namespace quire::cli
