#include "server/metrics.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace quire::server {
namespace {

std::string shown(double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end.ptr};
}

// A label's value may be anything; three characters of it need an escape.
std::string label(std::string_view name, std::string_view value) {
  std::string text(name);
  text += "=\"";
  for (const char c : value) {
    if (c == '\\' || c == '"') text += '\\';
    if (c == '\n') {
      text += "\\n";
    } else {
      text += c;
    }
  }
  return text + "\"";
}

void head(std::string_view name, std::string_view type, std::string_view help, std::string* out) {
  *out += "# HELP ";
  *out += name;
  *out += " ";
  *out += help;
  *out += "\n# TYPE ";
  *out += name;
  *out += " ";
  *out += type;
  *out += "\n";
}

void sample(std::string_view name, const std::string& labels, double value, std::string* out) {
  *out += name;
  if (!labels.empty()) *out += "{" + labels + "}";
  *out += " " + shown(value) + "\n";
}

using Engines = std::map<std::string, EngineView>;

struct EngineNumber {
  const char* name;
  const char* type;
  const char* help;
  double (*value)(const EngineView&);
};

double usage(const EngineView& view) {
  return static_cast<double>(view.stats.num_used_blocks) / std::max(view.stats.num_blocks, 1);
}

constexpr std::array kEngineNumbers = {
    EngineNumber{"vllm:num_requests_running",
                 "gauge",
                 "Sequences that run.",
                 [](const EngineView& v) { return static_cast<double>(v.stats.num_running); }},
    EngineNumber{"vllm:num_requests_waiting",
                 "gauge",
                 "Sequences that wait to run.",
                 [](const EngineView& v) { return static_cast<double>(v.stats.num_waiting); }},
    EngineNumber{"vllm:kv_cache_usage_perc", "gauge", "Used share of the cache, 0 to 1.", usage},
    EngineNumber{
        "vllm:prefix_cache_queries_total",
        "counter",
        "Prompt tokens looked up in the prefix cache.",
        [](const EngineView& v) { return static_cast<double>(v.stats.num_prefix_lookup_tokens); }},
    EngineNumber{
        "vllm:prefix_cache_hits_total",
        "counter",
        "Prompt tokens found there.",
        [](const EngineView& v) { return static_cast<double>(v.stats.num_prefix_hit_tokens); }},
    EngineNumber{"vllm:num_preemptions_total",
                 "counter",
                 "Sequences that lost their blocks to others.",
                 [](const EngineView& v) { return static_cast<double>(v.stats.num_preemptions); }},
    EngineNumber{"vllm:spec_decode_num_draft_tokens_total",
                 "counter",
                 "Guesses that speculation had checked.",
                 [](const EngineView& v) { return static_cast<double>(v.stats.num_draft_tokens); }},
    EngineNumber{
        "vllm:spec_decode_num_accepted_tokens_total",
        "counter",
        "Guesses that were right.",
        [](const EngineView& v) { return static_cast<double>(v.stats.num_accepted_tokens); }},
    EngineNumber{"quire_engine_steps_total",
                 "counter",
                 "Steps of the engine.",
                 [](const EngineView& v) { return static_cast<double>(v.stats.num_steps); }},
    EngineNumber{"quire_model_loaded",
                 "gauge",
                 "1 while the model is in memory, 0 while it is unloaded for want of requests.",
                 [](const EngineView& v) { return v.stats.num_blocks > 0 ? 1.0 : 0.0; }},
    EngineNumber{"quire_kv_cache_blocks_used",
                 "gauge",
                 "Blocks of the cache that sequences hold.",
                 [](const EngineView& v) { return static_cast<double>(v.stats.num_used_blocks); }},
};

void write_engines(const Engines& engines, std::string* out) {
  for (const EngineNumber& number : kEngineNumbers) {
    head(number.name, number.type, number.help, out);
    for (const auto& [model, view] : engines) {
      sample(number.name, label("model_name", model), number.value(view), out);
    }
  }
  head("vllm:cache_config_info", "gauge", "How the cache is cut.", out);
  for (const auto& [model, view] : engines) {
    sample("vllm:cache_config_info",
           label("block_size", std::to_string(view.block_size)) + "," + label("model_name", model) +
               "," + label("num_gpu_blocks", std::to_string(view.stats.num_blocks)),
           1,
           out);
  }
}

struct NamedHistogram {
  const char* name;
  const char* help;
  Histogram ModelMetrics::* member;
};

constexpr std::array kHistograms = {
    NamedHistogram{"vllm:time_to_first_token_seconds",
                   "From submission to the first token.",
                   &ModelMetrics::time_to_first_token},
    NamedHistogram{"vllm:inter_token_latency_seconds",
                   "Between two tokens of a sequence.",
                   &ModelMetrics::inter_token_latency},
    NamedHistogram{"vllm:e2e_request_latency_seconds",
                   "From submission to the last token.",
                   &ModelMetrics::request_latency},
    NamedHistogram{"vllm:request_queue_time_seconds",
                   "From submission to the first step.",
                   &ModelMetrics::queue_time},
};

struct NamedCounter {
  const char* name;
  const char* help;
  std::uint64_t ModelMetrics::* member;
};

constexpr std::array kCounters = {
    NamedCounter{"vllm:prompt_tokens_total", "Tokens of prompts.", &ModelMetrics::prompt_tokens},
    NamedCounter{"vllm:generation_tokens_total",
                 "Tokens that were generated.",
                 &ModelMetrics::generation_tokens},
};

void write_models(const Metrics& metrics, std::string* out) {
  for (const NamedHistogram& histogram : kHistograms) {
    head(histogram.name, "histogram", histogram.help, out);
    for (const auto& [model, numbers] : metrics.models) {
      (numbers.*histogram.member).write(histogram.name, label("model_name", model), out);
    }
  }
  for (const NamedCounter& counter : kCounters) {
    head(counter.name, "counter", counter.help, out);
    for (const auto& [model, numbers] : metrics.models) {
      sample(counter.name,
             label("model_name", model),
             static_cast<double>(numbers.*counter.member),
             out);
    }
  }
  head("vllm:request_success_total", "counter", "Finished sequences by finish reason.", out);
  for (const auto& [model, numbers] : metrics.models) {
    for (const auto& [reason, count] : numbers.successes) {
      sample("vllm:request_success_total",
             label("finished_reason", reason) + "," + label("model_name", model),
             static_cast<double>(count),
             out);
    }
  }
}

void write_http(const Metrics& metrics, std::string* out) {
  head("quire_http_responses_total", "counter", "Answers by status.", out);
  for (const auto& [status, count] : metrics.responses) {
    sample("quire_http_responses_total",
           label("code", std::to_string(status)),
           static_cast<double>(count),
           out);
  }
  head("quire_rejections_total", "counter", "Requests turned away without a step.", out);
  for (const auto& [reason, count] : metrics.rejections) {
    sample("quire_rejections_total", label("reason", reason), static_cast<double>(count), out);
  }
  head("quire_clients_gone_total", "counter", "Clients that left before their answer's end.", out);
  sample("quire_clients_gone_total", "", static_cast<double>(metrics.clients_gone), out);
  head("quire_clients_too_slow_total", "counter", "Clients cut off for not reading.", out);
  sample("quire_clients_too_slow_total", "", static_cast<double>(metrics.clients_too_slow), out);
  head("quire_trace_spans_exported_total", "counter", "Spans that the collector took.", out);
  sample("quire_trace_spans_exported_total",
         "",
         static_cast<double>(metrics.trace_spans_exported),
         out);
  head("quire_trace_spans_dropped_total", "counter", "Spans lost to an absent collector.", out);
  sample(
      "quire_trace_spans_dropped_total", "", static_cast<double>(metrics.trace_spans_dropped), out);
}

}  // namespace

void Histogram::observe(double seconds) {
  const auto bucket = std::ranges::lower_bound(kBounds, seconds) - kBounds.begin();
  ++counts_[static_cast<std::size_t>(bucket)];
  sum_ += seconds;
}

void Histogram::write(std::string_view name, const std::string& labels, std::string* out) const {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    total += counts_[i];
    const std::string bound = i < kBounds.size() ? shown(kBounds[i]) : "+Inf";
    sample(std::string(name) + "_bucket",
           labels + "," + label("le", bound),
           static_cast<double>(total),
           out);
  }
  sample(std::string(name) + "_sum", labels, sum_, out);
  sample(std::string(name) + "_count", labels, static_cast<double>(total), out);
}

void ModelMetrics::count_output(const RequestOutput& output) {
  prompt_tokens += static_cast<std::uint64_t>(output.num_prompt_tokens);
  for (const CompletionOutput& sample_output : output.outputs) {
    generation_tokens += sample_output.token_ids.size();
  }
  if (!output.error.ok()) return;
  queue_time.observe(output.timings.queued_ms / 1e3);
  time_to_first_token.observe(output.timings.first_token_ms / 1e3);
  request_latency.observe(output.timings.total_ms / 1e3);
  for (const CompletionOutput& sample_output : output.outputs) {
    ++successes[std::string(finish_reason_name(sample_output.finish_reason))];
  }
}

std::string metrics_page(const Metrics& metrics, const Engines& engines) {
  std::string page;
  write_engines(engines, &page);
  write_models(metrics, &page);
  write_http(metrics, &page);
  return page;
}

}  // namespace quire::server
