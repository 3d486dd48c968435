#include "server/otlp_spans.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.h"

namespace quire::server {
namespace {

using nlohmann::ordered_json;

constexpr int kInternal = 1;  // kinds of spans
constexpr int kServer = 2;
constexpr int kError = 2;  // a status

std::string hex(std::uint64_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) {
    text += kDigits[(value >> static_cast<unsigned>(shift)) & 15U];
  }
  return text;
}

std::string dump(const ordered_json& value) {
  return value.dump(-1, ' ', true, ordered_json::error_handler_t::replace);
}

ordered_json text(const char* key, const std::string& value) {
  return {{"key", key}, {"value", {{"stringValue", value}}}};
}
// Numbers of 64 bits are strings in OTLP's JSON.
ordered_json number(const char* key, std::int64_t value) {
  return {{"key", key}, {"value", {{"intValue", std::to_string(value)}}}};
}

struct Interval {
  std::uint64_t begin_ns;
  std::uint64_t end_ns;
};

struct Trace {
  std::string trace_id;
  std::string root_id;
};

ordered_json span(const Trace& trace, std::string id, std::string name, Interval interval) {
  return {{"traceId", trace.trace_id},
          {"spanId", std::move(id)},
          {"name", std::move(name)},
          {"startTimeUnixNano", std::to_string(interval.begin_ns)},
          {"endTimeUnixNano", std::to_string(interval.end_ns)}};
}

std::uint64_t before(std::uint64_t end_ns, double milliseconds) {
  return end_ns - static_cast<std::uint64_t>(milliseconds > 0 ? milliseconds * 1e6 : 0);
}

void add_phases(const Trace& trace,
                const PromptRecord& prompt,
                std::uint64_t request_end_ns,
                std::vector<std::string>* spans) {
  const RequestTimings& timings = prompt.timings;
  const std::uint64_t end = before(request_end_ns, prompt.ended_before_ms);
  const std::uint64_t begin = before(end, timings.total_ms);
  const std::uint64_t scheduled = before(end, timings.total_ms - timings.queued_ms);
  const std::uint64_t first = before(end, timings.total_ms - timings.first_token_ms);
  const auto add = [&](const char* name, Interval interval, ordered_json attributes) {
    ordered_json phase = span(trace, hex(random_seed()), name, interval);
    phase["parentSpanId"] = trace.root_id;
    phase["kind"] = kInternal;
    phase["attributes"] = std::move(attributes);
    spans->push_back(dump(phase));
  };
  add("queue", {begin, scheduled}, ordered_json::array());
  add("prefill",
      {scheduled, first},
      ordered_json::array({number("gen_ai.usage.input_tokens", prompt.prompt_tokens),
                           number("quire.cached_tokens", prompt.cached_tokens)}));
  add("decode",
      {first, end},
      ordered_json::array({number("gen_ai.usage.output_tokens", prompt.generated_tokens)}));
}

// A result of the engine's own tool is there within the step of its call: a moment.
void add_tools(const Trace& trace,
               const AccessRecord& record,
               const PromptRecord& prompt,
               std::uint64_t request_end_ns,
               std::vector<std::string>* spans) {
  for (const double milliseconds : prompt.tool_ms) {
    const std::uint64_t at = before(request_end_ns, record.milliseconds - milliseconds);
    ordered_json tool = span(trace, hex(random_seed()), "execute_tool", {at, at});
    tool["parentSpanId"] = trace.root_id;
    tool["kind"] = kInternal;
    tool["attributes"] = ordered_json::array({text("gen_ai.operation.name", "execute_tool")});
    spans->push_back(dump(tool));
  }
}

}  // namespace

std::vector<std::string> spans_of(const AccessRecord& record, std::uint64_t end_ns) {
  if (record.model.empty()) return {};
  // 00-<trace>-<parent>-<flags>, checked when it came; the lowest flag says whether to trace.
  const std::string& parent = record.traceparent;
  if (!parent.empty() && (std::string_view("13579bdf").find(parent.back()) == std::string::npos)) {
    return {};
  }
  const Trace trace{
      .trace_id = parent.empty() ? hex(random_seed()) + hex(random_seed()) : parent.substr(3, 32),
      .root_id = hex(random_seed())};
  ordered_json root = span(trace,
                           trace.root_id,
                           record.method + " " + record.path,
                           {before(end_ns, record.milliseconds), end_ns});
  if (!parent.empty()) root["parentSpanId"] = parent.substr(36, 16);
  root["kind"] = kServer;
  root["attributes"] =
      ordered_json::array({text("http.request.method", record.method),
                           text("url.path", record.path),
                           number("http.response.status_code", record.status),
                           text("gen_ai.request.model", record.model),
                           text("quire.request_id", record.request_id),
                           number("gen_ai.usage.input_tokens", record.prompt_tokens),
                           number("gen_ai.usage.output_tokens", record.generated_tokens)});
  root["status"] = record.status >= 500 ? ordered_json{{"code", kError}} : ordered_json::object();
  std::vector<std::string> spans = {dump(root)};
  for (const PromptRecord& prompt : record.prompts) {
    add_phases(trace, prompt, end_ns, &spans);
    add_tools(trace, record, prompt, end_ns, &spans);
  }
  return spans;
}

std::string otlp_body(const std::vector<std::string>& spans) {
  std::string joined;
  for (const std::string& each : spans) joined += (joined.empty() ? "" : ",") + each;
  const std::string resource =
      dump({{"attributes",
             ordered_json::array(
                 {text("service.name", "quire"), text("service.version", QUIRE_VERSION)})}});
  return R"({"resourceSpans":[{"resource":)" + resource +
         R"(,"scopeSpans":[{"scope":{"name":"quire"},"spans":[)" + joined + "]}]}]}";
}

}  // namespace quire::server
