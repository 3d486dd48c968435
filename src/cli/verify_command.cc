#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "cli/engine_flags.h"
#include "cli/exit_code.h"
#include "llm/verify.h"
#include "quire/llm.h"
#include "runner/model_package.h"

namespace quire::cli {
namespace {

int run_verify(const ModelFlags& flags) {
  if (flags.show_config) return show_config(flags);
  const auto package = open_package(flags.package);
  if (!package) return report(package.error());
  if (Status status = check_package_sha256(*package); !status.ok()) return report(status);
  // The tolerance is that of the package's arithmetic; a rounded cache would be measured with it.
  EngineOptions options = engine_options(flags);
  options.tools = "none";  // the answers to compare with are the model's alone
  if (options.kv_dtype == "auto" && package->graph == "paged") options.kv_dtype = "fp32";
  Result<Llm> llm = Llm::open(flags.package, options);
  if (!llm) return report(llm.error());
  const auto result = verify_package(flags.package, &*llm);
  if (!result) return report(result.error());
  std::printf("%s\n", package->name.c_str());
  std::printf("  largest logit difference  %.6f (tolerated %.6f)\n",
              result->max_logit_diff,
              result->tolerated_logit_diff);
  std::printf("  mean logit difference     %.6f\n", result->mean_logit_diff);
  std::printf("  best token agrees at      %d of %d positions (%d near ties)\n",
              result->num_agreeing,
              result->num_positions,
              result->num_near_ties);
  std::printf("  tokenizer, chat template  %d and %d cases\n",
              result->num_tokenizer_cases,
              result->num_chat_cases);
  for (const std::string& failure : result->failures)
    std::printf("  FAILED: %s\n", failure.c_str());
  std::printf("%s\n", result->failures.empty() ? "verified" : "not verified");
  return result->failures.empty() ? kExitOk : kExitFailure;
}

}  // namespace

void add_verify_command(CLI::App* app, Action* action) {
  auto flags = std::make_shared<ModelFlags>();  // shared with the action that outlives this call
  CLI::App* command =
      app->add_subcommand("verify", "Replay the source model's answers on this machine");
  command->footer(
      "Uses a float32 cache unless --kv-dtype says otherwise.\n"
      "Example:\n  quire verify models/smollm2-135m-instruct");
  add_model_flags(command, flags.get(), /*positional=*/true);
  command->callback([flags, action] { *action = [flags] { return run_verify(*flags); }; });
}

}  // namespace quire::cli
