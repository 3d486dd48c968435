#include "server/engine_view.h"

#include <vector>

namespace quire::server {
namespace {

using nlohmann::ordered_json;

ordered_json sequences_json(const std::vector<SequenceSnapshot>& sequences) {
  ordered_json list = ordered_json::array();
  for (const SequenceSnapshot& sequence : sequences) {
    list.push_back({{"id", sequence.id},
                    {"request", sequence.request_id},
                    {"sample", sequence.sample_index},
                    {"priority", sequence.priority},
                    {"prompt_tokens", sequence.num_prompt_tokens},
                    {"tokens", sequence.num_tokens},
                    {"computed_tokens", sequence.num_computed_tokens},
                    {"cached_tokens", sequence.num_cached_tokens},
                    {"blocks", sequence.blocks}});
  }
  return list;
}

// Shares are four numbers each, since there may be as many as 256 times 1,000 of them.
ordered_json steps_json(const std::vector<StepSnapshot>& steps) {
  ordered_json list = ordered_json::array();
  for (const StepSnapshot& step : steps) {
    ordered_json shares = ordered_json::array();
    for (const StepSnapshot::Share& share : step.shares) {
      shares.push_back(
          ordered_json::array({share.sequence_id, share.num_past, share.num_new, share.num_draft}));
    }
    list.push_back({{"number", step.number},
                    {"start_ms", step.start_ms},
                    {"duration_ms", step.duration_ms},
                    {"hit_tokens", step.num_hit_tokens},
                    {"sequences", std::move(shares)},
                    {"preempted", step.preempted}});
  }
  return list;
}

}  // namespace

ordered_json engine_view(const std::string& model, const EngineSnapshot& snapshot) {
  const EngineStats& stats = snapshot.stats;
  return {{"name", model},
          {"block_size", snapshot.block_size},
          {"num_blocks", stats.num_blocks},
          {"used_blocks", stats.num_used_blocks},
          {"free_findable_blocks", snapshot.findable_blocks},
          {"steps_done", stats.num_steps},
          {"prompt_tokens", stats.num_prompt_tokens},
          {"generated_tokens", stats.num_generated_tokens},
          {"preemptions", stats.num_preemptions},
          {"lookup_tokens", stats.num_prefix_lookup_tokens},
          {"hit_tokens", stats.num_prefix_hit_tokens},
          {"evictions", snapshot.num_evictions},
          {"running", sequences_json(snapshot.running)},
          {"waiting", sequences_json(snapshot.waiting)},
          {"steps", steps_json(snapshot.steps)}};
}

}  // namespace quire::server
