#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <sstream>
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
  std::string shadow;  // two or three backends, comma-separated
};

using Pair = std::array<std::string, 2>;

int print_shadow(const std::string& name, const Pair& backends, const ShadowReport& found) {
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

// "graph,onnx,torch" in parts; fails unless they are two or three that there are.
Result<std::vector<std::string>> shadow_backends(const std::string& list) {
  std::vector<std::string> backends;
  std::istringstream stream(list);
  for (std::string backend; std::getline(stream, backend, ',');) {
    const bool known = backend == "graph" || backend == "onnx" || backend == "torch";
    const bool again = std::ranges::find(backends, backend) != backends.end();
    if (known && !again) backends.push_back(backend);
    if (!known || again) backends.resize(4);
  }
  if (backends.size() == 2 || backends.size() == 3) return backends;
  return invalid_argument("--shadow is \"" + list.substr(0, 64) +
                          "\", but must be two or three of graph, onnx and torch, as in "
                          "graph,onnx");
}

// Compares the first backend with each of the others.
int run_shadow(const VerifyFlags& flags, const ModelPackage& package, EngineOptions options) {
  const auto backends = shadow_backends(flags.shadow);
  if (!backends) return report(backends.error());
  std::vector<Llm> models;
  int code = kExitOk;
  for (const std::string& backend : *backends) {
    options.backend = backend;
    Result<Llm> llm = Llm::open(flags.model.package, options);
    if (!llm) return report(llm.error());
    models.push_back(*std::move(llm));
    if (models.size() == 1) continue;
    const auto found = shadow_package(package.folder, &models.front(), &models.back());
    if (!found) return report(found.error());
    code = std::max(code, print_shadow(package.name, {backends->front(), backend}, *found));
  }
  return code;
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
  const auto result = verify_package(package->folder, &*llm);
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
                      "Compare backends instead, as in graph,onnx,torch: largest difference, and "
                      "the first logit that differs");
  command->callback([flags, action] { *action = [flags] { return run_verify(*flags); }; });
}

}  // namespace quire::cli
