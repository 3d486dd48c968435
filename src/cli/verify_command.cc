#include <CLI/CLI.hpp>
#include <array>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/commands.h"
#include "cli/engine_flags.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "eval/shadow.h"
#include "eval/verify.h"
#include "package/model_package.h"
#include "quire/llm.h"
#include "quire/printable.h"

namespace quire::cli {
namespace {

struct VerifyFlags {
  ModelFlags model;
  std::string shadow;  // two backends, comma-separated
};

int print_shadow(const std::string& name,
                 const std::array<std::string, 2>& backends,
                 const ShadowReport& found) {
  print_out("%s: %s and %s\n", printable(name).c_str(), backends[0].c_str(), backends[1].c_str());
  print_out("  largest logit difference  %.6g (tolerated %.6g)\n",
            found.max_logit_diff,
            found.tolerated_logit_diff);
  print_out("  best token agrees at      %d of %d positions of %d prompts\n",
            found.num_agreeing,
            found.num_positions,
            found.num_prompts);
  if (!found.first_difference) {
    print_out("equal: every logit, bit for bit\n");
    return kExitOk;
  }
  const ShadowDifference& first = *found.first_difference;
  print_out("  first differing logit     prompt %s, position %zu, id %d: %.9g and %.9g\n",
            printable(first.prompt).c_str(),
            first.position,
            first.id,
            static_cast<double>(first.first),
            static_cast<double>(first.second));
  const bool close = found.max_logit_diff <= found.tolerated_logit_diff;
  print_out("%s\n", close ? "close: within the package's tolerance" : "different");
  return close ? kExitOk : kExitFailure;
}

int run_shadow(const VerifyFlags& flags, const ModelPackage& package, EngineOptions options) {
  const std::size_t comma = flags.shadow.find(',');
  const std::array<std::string, 2> backends = {
      flags.shadow.substr(0, comma),
      comma == std::string::npos ? std::string() : flags.shadow.substr(comma + 1)};
  std::vector<Llm> models;
  for (const std::string& backend : backends) {
    if (backend != "onnx" && backend != "torch") {
      return report(invalid_argument("--shadow is \"" + flags.shadow.substr(0, 64) +
                                     "\", but must be two of onnx and torch, as in onnx,torch"));
    }
    options.backend = backend;
    Result<Llm> llm = Llm::open(flags.model.package, options);
    if (!llm) return report(llm.error());
    models.push_back(*std::move(llm));
  }
  const auto found = shadow_package(flags.model.package, &models[0], &models[1]);
  return found ? print_shadow(package.name, backends, *found) : report(found.error());
}

int run_verify(const VerifyFlags& verify_flags) {
  const ModelFlags& flags = verify_flags.model;
  if (flags.show_config) return show_config(flags);
  const auto package = open_package(flags.package);
  if (!package) return report(package.error());
  if (Status status = check_package_sha256(*package); !status.ok()) return report(status);
  // The tolerance is that of the package's arithmetic; a rounded cache would be measured with it.
  EngineOptions options = engine_options(flags);
  options.tools = "none";  // the answers to compare with are the model's alone
  if (options.kv_dtype == "auto" && package->graph == "paged") options.kv_dtype = "fp32";
  if (!verify_flags.shadow.empty()) return run_shadow(verify_flags, *package, std::move(options));
  Result<Llm> llm = Llm::open(flags.package, options);
  if (!llm) return report(llm.error());
  const auto result = verify_package(flags.package, &*llm);
  if (!result) return report(result.error());
  print_out("%s\n", printable(package->name).c_str());
  print_out("  largest logit difference  %.6f (tolerated %.6f)\n",
            result->max_logit_diff,
            result->tolerated_logit_diff);
  print_out("  mean logit difference     %.6f\n", result->mean_logit_diff);
  print_out("  best token agrees at      %d of %d positions (%d near ties)\n",
            result->num_agreeing,
            result->num_positions,
            result->num_near_ties);
  print_out("  tokenizer, chat template  %d and %d cases\n",
            result->num_tokenizer_cases,
            result->num_chat_cases);
  for (const std::string& failure : result->failures)
    print_out("  FAILED: %s\n", printable(failure).c_str());
  print_out("%s\n", result->failures.empty() ? "verified" : "not verified");
  return result->failures.empty() ? kExitOk : kExitFailure;
}

}  // namespace

void add_verify_command(CLI::App* app, Action* action) {
  auto flags = std::make_shared<VerifyFlags>();  // shared with the action that outlives this call
  CLI::App* command =
      app->add_subcommand("verify", "Replay the source model's answers on this machine");
  command->footer(
      "Uses a float32 cache unless --kv-dtype says otherwise.\n"
      "Example:\n  quire verify models/smollm2-135m-instruct");
  add_model_flags(command, &flags->model, /*positional=*/true);
  command->add_option("--shadow",
                      flags->shadow,
                      "Compare two backends instead, as in onnx,torch: largest difference, and the "
                      "first logit that differs");
  command->callback([flags, action] { *action = [flags] { return run_verify(*flags); }; });
}

}  // namespace quire::cli
