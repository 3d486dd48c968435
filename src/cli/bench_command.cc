#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/system_memory.h"
#include "cli/commands.h"
#include "cli/engine_flags.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "eval/bench_latency.h"
#include "eval/bench_requests.h"
#include "eval/roofline.h"
#include "package/model_package.h"
#include "quire/llm.h"

namespace quire::cli {
namespace {

constexpr int kContext = 128;     // tokens in the cache when decoding is measured
constexpr int kDecodeSteps = 24;  // steps a decode measurement times
constexpr int kMaxDecoded = 256;  // none may end before the last one has begun
constexpr int kRepeats = 3;       // measurements of each kind; the median counts

struct BenchFlags {
  ModelFlags model;
  bool json = false;
  bool latency = false;
};

struct BenchResult {
  std::map<int, double> prefill_tok_s;  // by prompt length
  std::map<int, double> decode_tok_s;   // by number of streams
  double load_ms = 0;
  double rss_mib = 0;
  Roofline roofline;
  double prefill_share = 0;
  double decode_share = 0;
  std::optional<BenchLatency> latency;
};

Result<double> measure_prefill(int num_prompt, int vocab, std::mt19937* random, Llm* llm) {
  QUIRE_TRY(llm->submit(random_request(num_prompt, 1, vocab, random)).error());
  const auto start = BenchClock::now();
  while (llm->has_unfinished()) {
    for (const RequestOutput& output : llm->step().finished) QUIRE_TRY(output.error);
  }
  return num_prompt / seconds_since(start);
}

Result<double> measure_decode(int num_streams, int vocab, std::mt19937* random, Llm* llm) {
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < num_streams; ++i) {
    QUIRE_ASSIGN(const std::uint64_t id,
                 llm->submit(random_request(kContext, kMaxDecoded, vocab, random)));
    ids.push_back(id);
  }
  // Until every stream has its first token, steps carry prompts too.
  const std::int64_t all_prompts =
      llm->stats().num_prompt_tokens + std::int64_t{kContext} * num_streams;
  while (llm->stats().num_prompt_tokens < all_prompts) {
    for (const RequestOutput& finished : llm->step().finished) QUIRE_TRY(finished.error);
  }
  const std::int64_t before = llm->stats().num_generated_tokens;
  const auto start = BenchClock::now();
  for (int i = 0; i < kDecodeSteps; ++i) {
    for (const RequestOutput& finished : llm->step().finished) QUIRE_TRY(finished.error);
  }
  const double seconds = seconds_since(start);
  const std::int64_t num_tokens = llm->stats().num_generated_tokens - before;
  for (const std::uint64_t id : ids) llm->cancel(id);
  return static_cast<double>(num_tokens) / seconds;
}

template <typename Measure>
Status sweep(const char* name,
             const std::vector<int>& sizes,
             const Measure& measure,
             std::map<int, double>* rates) {
  for (const int size : sizes) {
    if (isatty(STDERR_FILENO) == 1) std::fprintf(stderr, "\r\x1b[Kmeasuring %s %d", name, size);
    std::vector<double> runs;
    for (int i = 0; i < kRepeats; ++i) {
      QUIRE_ASSIGN(const double rate, measure(size));
      runs.push_back(rate);
    }
    (*rates)[size] = median(runs);
  }
  if (isatty(STDERR_FILENO) == 1) std::fprintf(stderr, "\r\x1b[K");
  return ok_status();
}

Result<BenchResult> run_measurements(const BenchFlags& flags) {
  EngineOptions options = engine_options(flags.model);
  options.prefix_cache = false;
  options.tools = "none";  // a result is no token of the model's
  QUIRE_ASSIGN(const ModelPackage package, open_package(flags.model.package));
  BenchResult result;
  const auto start = BenchClock::now();
  QUIRE_ASSIGN(Llm llm, Llm::open(flags.model.package, options));
  result.load_ms = seconds_since(start) * 1e3;
  const int vocab = llm.runner().spec().vocab_size;
  std::mt19937 random(1);
  std::vector<int> lengths;
  for (const int length : {128, 512}) {
    if (length < package.max_seq_len) lengths.push_back(length);
  }
  std::vector<int> streams;
  for (const int count : {1, 4, 16, 32}) {
    if (count <= options.max_num_seqs && kContext + kMaxDecoded < package.max_seq_len) {
      streams.push_back(count);
    }
  }
  QUIRE_TRY(measure_prefill(std::min(16, package.max_seq_len - 1), vocab, &random, &llm)
                .error());  // warms up
  QUIRE_TRY(sweep(
      "prefill",
      lengths,
      [&](int size) { return measure_prefill(size, vocab, &random, &llm); },
      &result.prefill_tok_s));
  QUIRE_TRY(sweep(
      "decode",
      streams,
      [&](int size) { return measure_decode(size, vocab, &random, &llm); },
      &result.decode_tok_s));
  result.rss_mib = static_cast<double>(resident_memory_bytes()) / 1048576.0;
  QUIRE_ASSIGN(result.roofline, measure_roofline(options.num_threads));
  const ModelCost cost = model_cost(package);
  if (result.prefill_tok_s.contains(512)) {
    result.prefill_share =
        result.prefill_tok_s[512] * cost.macs_per_token / 1e9 /
        (cost.quantized ? result.roofline.int8_gmac_s : result.roofline.fp32_gflop_s / 2);
  }
  if (result.decode_tok_s.contains(1)) {
    result.decode_share =
        result.decode_tok_s[1] * cost.bytes_per_token / 1e9 / result.roofline.read_gb_s;
  }
  return result;
}

// A second engine, because this one needs the prefix cache and the others must not have it.
Status add_latency(const BenchFlags& flags, BenchResult* result) {
  QUIRE_ASSIGN(const ModelPackage package, open_package(flags.model.package));
  QUIRE_ASSIGN(Llm llm, Llm::open(flags.model.package, engine_options(flags.model)));
  QUIRE_ASSIGN(result->latency, measure_latency(package.max_seq_len, &llm));
  return ok_status();
}

nlohmann::ordered_json rates_json(const std::map<int, double>& rates) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& [size, rate] : rates) json[std::to_string(size)] = rate;
  return json;
}

void print_json(const BenchResult& result) {
  nlohmann::ordered_json json = {{"prefill_tok_s", rates_json(result.prefill_tok_s)},
                                 {"decode_tok_s", rates_json(result.decode_tok_s)},
                                 {"load_ms", result.load_ms},
                                 {"rss_mib", result.rss_mib},
                                 {"roofline",
                                  {{"int8_gmac_s", result.roofline.int8_gmac_s},
                                   {"fp32_gflop_s", result.roofline.fp32_gflop_s},
                                   {"read_gb_s", result.roofline.read_gb_s},
                                   {"prefill_share", result.prefill_share},
                                   {"decode_share", result.decode_share}}}};
  if (result.latency) {
    json["latency"] = {{"prompt_tokens", result.latency->num_prompt},
                       {"ttft_cold_ms", result.latency->ttft_cold},
                       {"ttft_cached_ms", result.latency->ttft_cached},
                       {"ttft_shared_ms", result.latency->ttft_shared},
                       {"streams", result.latency->num_streams},
                       {"inter_token_ms", result.latency->inter_token},
                       {"inter_token_beside_prompt_ms", result.latency->inter_token_late}};
  }
  print_out("%s\n", json.dump().c_str());
}

void print_latency(const BenchLatency& latency) {
  print_out(
      "first token of a prompt of %d tokens: %.1f ms; with its beginning cached %.1f ms "
      "(%.1f %%), shared with a running request %.1f ms (%.1f %%)\n",
      latency.num_prompt,
      latency.ttft_cold,
      latency.ttft_cached,
      100 * latency.ttft_cached / latency.ttft_cold,
      latency.ttft_shared,
      100 * latency.ttft_shared / latency.ttft_cold);
  print_out(
      "%d streams: a token each every %.1f ms; beside a prompt of %d tokens every %.1f ms "
      "at worst (%.1f times)\n",
      latency.num_streams,
      latency.inter_token,
      latency.num_prompt,
      latency.inter_token_late,
      latency.inter_token_late / latency.inter_token);
}

void print_bars(const char* what, const std::map<int, double>& rates) {
  double most = 1e-9;
  for (const auto& [size, rate] : rates) most = std::max(most, rate);
  for (const auto& [size, rate] : rates) {
    const auto length = static_cast<std::size_t>(40 * rate / most);
    print_out("  %-8s %4d  %9.1f tok/s  %s\n", what, size, rate, std::string(length, '#').c_str());
  }
}

void print_table(const BenchResult& result) {
  print_out("prompt length: tokens a second until the first answer token\n");
  print_bars("prefill", result.prefill_tok_s);
  print_out("streams: tokens a second of all together, at a context of %d\n", kContext);
  print_bars("decode", result.decode_tok_s);
  print_out("loaded in %.0f ms; %.0f MiB resident\n", result.load_ms, result.rss_mib);
  print_out("this machine: %.0f int8 GMAC/s, %.0f fp32 GFLOP/s, %.1f GB/s read from memory\n",
            result.roofline.int8_gmac_s,
            result.roofline.fp32_gflop_s,
            result.roofline.read_gb_s);
  print_out(
      "share of the limit: prefill %.0f %% of arithmetic, decode of one stream %.0f %% of "
      "reading\n",
      100 * result.prefill_share,
      100 * result.decode_share);
  if (result.latency) print_latency(*result.latency);
}

int run_bench(const BenchFlags& flags) {
  if (flags.model.show_config) return show_config(flags.model);
  auto result = run_measurements(flags);
  if (!result) return report(result.error());
  if (flags.latency) {
    if (Status status = add_latency(flags, &*result); !status.ok()) return report(status);
  }
  flags.json ? print_json(*result) : print_table(*result);
  return kExitOk;
}

}  // namespace

void add_bench_command(CLI::App* app, Action* action) {
  auto flags = std::make_shared<BenchFlags>();  // shared with the action that outlives this call
  CLI::App* command = app->add_subcommand("bench", "Measure prefill, decode and a batch sweep");
  command->footer(
      "Examples:\n  quire bench -m PKG\n  quire bench -m PKG --latency --json > bench.json");
  add_model_flags(command, &flags->model);
  command->add_flag("--latency",
                    flags->latency,
                    "Also the time to a first token, cold and cached, and between tokens");
  command->add_flag("--json", flags->json, "One JSON object on stdout");
  command->callback([flags, action] { *action = [flags] { return run_bench(*flags); }; });
}

}  // namespace quire::cli
