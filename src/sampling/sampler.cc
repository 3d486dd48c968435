#include "sampling/sampler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "sampling/random.h"

namespace quire {
namespace {

// A token that may still be drawn, with its unnormalised probability.
struct Candidate {
  TokenId id;
  double weight;
};

bool heavier(const Candidate& a, const Candidate& b) {
  return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
}

// The largest logit and whether any is a NaN, in lanes that a compiler turns into registers: with
// many greedy requests a step's largest piece of work on one thread.
std::pair<float, bool> largest(std::span<const float> logits) {
  constexpr std::size_t kLanes = 16;
  constexpr float kLeast = -std::numeric_limits<float>::infinity();
  std::array<float, kLanes> best;
  best.fill(kLeast);
  std::array<std::uint32_t, kLanes> nan = {};
  const std::size_t whole = logits.size() / kLanes * kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float logit = logits[i + lane];
      best[lane] = logit > best[lane] ? logit : best[lane];
      nan[lane] |= logit == logit ? 0U : 1U;
    }
  }
  for (std::size_t i = whole; i < logits.size(); ++i) {
    best[0] = std::max(best[0], logits[i]);
    nan[0] |= std::isnan(logits[i]) ? 1U : 0U;
  }
  const bool has_nan = std::ranges::any_of(nan, [](std::uint32_t lane) { return lane != 0; });
  return {*std::ranges::max_element(best), has_nan};
}

// Position of the best logit, the first among equals; -1 if there is a NaN or nothing finite.
TokenId argmax(std::span<const float> logits) {
  const auto [best, has_nan] = largest(logits);
  if (has_nan || best == -std::numeric_limits<float>::infinity()) return -1;
  return static_cast<TokenId>(std::ranges::find(logits, best) - logits.begin());
}

// exp((logit - best) / temperature) of every id that min-p keeps; the best one has weight 1, which
// makes min-p a bound on the weight itself.
std::vector<Candidate> weigh(const SamplingParams& params,
                             std::span<const float> logits,
                             float best) {
  std::vector<Candidate> candidates;
  candidates.reserve(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double weight =
        std::exp((static_cast<double>(logits[i]) - static_cast<double>(best)) / params.temperature);
    if (weight > 0 && weight >= params.min_p) {
      candidates.push_back({static_cast<TokenId>(i), weight});
    }
  }
  return candidates;
}

void keep_top_k(int top_k, std::vector<Candidate>* candidates) {
  if (top_k <= 0 || static_cast<std::size_t>(top_k) >= candidates->size()) return;
  std::nth_element(
      candidates->begin(), candidates->begin() + (top_k - 1), candidates->end(), heavier);
  candidates->resize(static_cast<std::size_t>(top_k));
}

double total_weight(std::span<const Candidate> candidates) {
  return std::accumulate(
      candidates.begin(), candidates.end(), 0.0, [](double sum, const Candidate& c) {
        return sum + c.weight;
      });
}

// Keeps the heaviest candidates that together reach top_p of the weight, at least one.
void keep_top_p(double top_p, std::vector<Candidate>* candidates) {
  if (top_p >= 1.0) return;
  std::ranges::sort(*candidates, heavier);
  const double enough = top_p * total_weight(*candidates);
  double sum = 0;
  std::size_t kept = 0;
  while (kept < candidates->size() && (kept == 0 || sum < enough)) {
    sum += (*candidates)[kept++].weight;
  }
  candidates->resize(kept);
}

TokenId draw_one(const DrawPosition& draw, std::vector<Candidate> candidates) {
  // The order of the walk decides which id a number falls on, so it must not depend on how the
  // truncation left them.
  std::ranges::sort(candidates, {}, &Candidate::id);
  const double target =
      uniform_at(draw.seed, draw.sample, draw.position) * total_weight(candidates);
  double sum = 0;
  for (const Candidate& candidate : candidates) {
    sum += candidate.weight;
    if (target < sum) return candidate.id;
  }
  return candidates.back().id;
}

}  // namespace

Result<TokenId> sample(const SamplingParams& params,
                       const DrawPosition& draw,
                       std::span<const float> logits) {
  const TokenId best = argmax(logits);
  if (best < 0) {
    return internal_error("the model's logits hold a NaN, or no token is allowed any more");
  }
  if (params.temperature == 0.0) return best;
  const float best_logit = logits[static_cast<std::size_t>(best)];
  if (std::isinf(best_logit)) return best;
  std::vector<Candidate> candidates = weigh(params, logits, best_logit);
  keep_top_k(params.top_k, &candidates);
  keep_top_p(params.top_p, &candidates);
  return draw_one(draw, std::move(candidates));
}

TokenLogprobs compute_logprobs(std::span<const float> logits, TokenId token, int num_top) {
  const float best = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - best);
  const double log_sum = static_cast<double>(best) + std::log(sum);
  const auto logprob = [&](TokenId id) {
    return static_cast<float>(logits[static_cast<std::size_t>(id)] - log_sum);
  };
  std::vector<TokenId> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto count = std::min(static_cast<std::size_t>(num_top), ids.size());
  std::ranges::partial_sort(
      ids, ids.begin() + static_cast<std::ptrdiff_t>(count), [&](TokenId a, TokenId b) {
        const float left = logits[static_cast<std::size_t>(a)];
        const float right = logits[static_cast<std::size_t>(b)];
        return left != right ? left > right : a < b;
      });
  TokenLogprobs result{token, logprob(token), {}};
  for (std::size_t i = 0; i < count; ++i) result.top.emplace_back(ids[i], logprob(ids[i]));
  return result;
}

}  // namespace quire
