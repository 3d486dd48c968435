#include "eval/shadow.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "base/json.h"

namespace quire {
namespace {

constexpr std::uint64_t kMaxGoldenBytes = std::uint64_t{256} << 20U;

struct ShadowPrompt {
  std::string name;
  std::vector<TokenId> ids;  // with the source's continuation but for its last token
};

Result<ShadowPrompt> read_prompt(const JsonObject& entry, int vocab_size) {
  ShadowPrompt prompt;
  QUIRE_ASSIGN(prompt.name, entry.string("name"));
  QUIRE_ASSIGN(const auto ids, entry.integers("ids", 0, vocab_size - 1));
  QUIRE_ASSIGN(const JsonObject greedy, entry.object("greedy"));
  QUIRE_ASSIGN(const auto continuation, greedy.integers("ids", 0, vocab_size - 1));
  prompt.ids.assign(ids.begin(), ids.end());
  if (!continuation.empty()) {
    prompt.ids.insert(prompt.ids.end(), continuation.begin(), continuation.end() - 1);
  }
  return prompt;
}

// Both NaN counts as equal: neither runner is to blame for the other.
bool same(float first, float second) {
  return std::bit_cast<std::uint32_t>(first) == std::bit_cast<std::uint32_t>(second) ||
         (std::isnan(first) && std::isnan(second));
}

void compare(const ShadowPrompt& prompt,
             std::span<const float> first,
             std::span<const float> second,
             ShadowReport* report) {
  const std::size_t vocab = first.size() / prompt.ids.size();
  for (std::size_t row = 0; row < prompt.ids.size(); ++row) {
    const auto one = first.subspan(row * vocab, vocab);
    const auto other = second.subspan(row * vocab, vocab);
    ++report->num_positions;
    const auto best = std::ranges::max_element(one) - one.begin();
    if (best == std::ranges::max_element(other) - other.begin()) ++report->num_agreeing;
    for (std::size_t id = 0; id < vocab; ++id) {
      if (same(one[id], other[id])) continue;
      if (!report->first_difference) {
        report->first_difference = {prompt.name, row, static_cast<TokenId>(id), one[id], other[id]};
      }
      const double distance = std::abs(static_cast<double>(one[id]) - other[id]);
      report->max_logit_diff = std::isnan(distance) ? std::numeric_limits<double>::infinity()
                                                    : std::max(report->max_logit_diff, distance);
    }
  }
}

}  // namespace

Result<ShadowReport> shadow_package(const std::filesystem::path& folder, Llm* first, Llm* second) {
  const int vocab_size = first->runner().spec().vocab_size;
  if (vocab_size != second->runner().spec().vocab_size) {
    return bad_model(folder.string() + ": its two graphs have different vocabularies");
  }
  const std::filesystem::path path = folder / "golden.json";
  QUIRE_ASSIGN(const nlohmann::json json, read_json_file(path, kMaxGoldenBytes));
  QUIRE_ASSIGN(const JsonObject golden, JsonObject::of(json, path.string()));
  ShadowReport report;
  QUIRE_ASSIGN(const JsonObject tolerance, golden.object("tolerance"));
  QUIRE_ASSIGN(report.tolerated_logit_diff, tolerance.number("max_abs_logit_diff"));
  QUIRE_ASSIGN(const nlohmann::json* prompts, golden.array("prompts"));
  for (const nlohmann::json& item : *prompts) {
    QUIRE_ASSIGN(const JsonObject entry, JsonObject::of(item, path.string() + ": a prompt"));
    QUIRE_ASSIGN(const ShadowPrompt prompt, read_prompt(entry, vocab_size));
    if (prompt.ids.empty()) return bad_model(entry.what() + " has no ids");
    const auto one = first->runner().forward(prompt.ids);
    if (!one) return one.error().with_context(path.string() + ": prompt " + prompt.name);
    const auto other = second->runner().forward(prompt.ids);
    if (!other) return other.error().with_context(path.string() + ": prompt " + prompt.name);
    ++report.num_prompts;
    compare(prompt, *one, *other, &report);
  }
  return report;
}

}  // namespace quire
