#include "wire/output_json.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace quire::wire {
namespace {

using nlohmann::ordered_json;

// JSON has no infinities; a token that cannot occur has no log-probability.
ordered_json finite_or_null(float value) {
  return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr);
}

ordered_json logprobs_list(const std::vector<TokenLogprobs>& logprobs) {
  ordered_json list = ordered_json::array();
  for (const TokenLogprobs& entry : logprobs) {
    ordered_json top = ordered_json::array();
    for (const auto& [id, logprob] : entry.top) {
      top.push_back({{"token_id", id}, {"logprob", finite_or_null(logprob)}});
    }
    list.push_back({{"token_id", entry.token},
                    {"logprob", finite_or_null(entry.logprob)},
                    {"top_logprobs", std::move(top)}});
  }
  return list;
}

ordered_json parts_json(const std::vector<OutputPart>& parts) {
  ordered_json list = ordered_json::array();
  for (const OutputPart& part : parts) {
    list.push_back({{"type", part_kind_name(part.kind)}, {"text", part.text}});
  }
  return list;
}

ordered_json sample_json(const CompletionOutput& sample) {
  ordered_json json = {{"text", sample.text},
                       {"token_ids", sample.token_ids},
                       {"finish_reason", finish_reason_name(sample.finish_reason)}};
  if (!sample.parts.empty()) json["parts"] = parts_json(sample.parts);
  for (const ToolCall& call : sample.tool_calls) {
    json["tool_calls"].push_back({{"name", call.name}, {"arguments", call.arguments}});
  }
  if (!sample.logprobs.empty()) json["logprobs"] = logprobs_list(sample.logprobs);
  return json;
}

}  // namespace

namespace {

// The id is text, so that a number in it keeps its digits: put in behind the index.
std::string with_id(const ordered_json& json, const std::string& id_json) {
  std::string line = json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  if (id_json.empty()) return line;
  return line.insert(line.find(','), ",\"id\":" + id_json);
}

}  // namespace

std::string logprobs_json(const std::vector<TokenLogprobs>& logprobs) {
  return logprobs_list(logprobs).dump();
}

std::string output_json(std::size_t index,
                        const std::string& id_json,
                        const RequestOutput& output) {
  ordered_json json = {{"index", index}};
  if (!output.error.ok()) {
    json["error"] = {{"type", status_code_name(output.error.code())},
                     {"message", output.error.message()}};
    return with_id(json, id_json);
  }
  json["outputs"] = ordered_json::array();
  std::int64_t num_completion_tokens = 0;
  for (const CompletionOutput& sample : output.outputs) {
    json["outputs"].push_back(sample_json(sample));
    num_completion_tokens += static_cast<std::int64_t>(sample.token_ids.size());
  }
  // A copy: update() would read the object while it grows.
  const ordered_json first = json["outputs"].front();
  json.update(first);
  if (!output.prompt_logprobs.empty()) {
    json["prompt_logprobs"] = logprobs_list(output.prompt_logprobs);
  }
  json["usage"] = {{"prompt_tokens", output.num_prompt_tokens},
                   {"completion_tokens", num_completion_tokens},
                   {"cached_tokens", output.num_cached_tokens}};
  json["timings"] = {{"queued_ms", output.timings.queued_ms},
                     {"first_token_ms", output.timings.first_token_ms},
                     {"total_ms", output.timings.total_ms}};
  return with_id(json, id_json);
}

}  // namespace quire::wire
