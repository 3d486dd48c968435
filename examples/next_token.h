#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

// The choice of a token, shared by the examples of the two runtimes: the best one at temperature 0,
// else one of the `top_k` best (0: of all) with the probabilities of a softmax.
inline std::int64_t next_token(const std::vector<float>& logits,
                               float temperature,
                               int top_k,
                               std::mt19937& random) {
  std::vector<std::int64_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto better = [&](std::int64_t a, std::int64_t b) {
    return logits[static_cast<std::size_t>(a)] > logits[static_cast<std::size_t>(b)];
  };
  if (temperature <= 0) return *std::ranges::min_element(order, better);
  if (top_k > 0 && static_cast<std::size_t>(top_k) < order.size()) {
    std::partial_sort(order.begin(), order.begin() + top_k, order.end(), better);
    order.resize(static_cast<std::size_t>(top_k));
  }
  float best = logits[static_cast<std::size_t>(order.front())];
  for (const std::int64_t id : order) best = std::max(best, logits[static_cast<std::size_t>(id)]);
  std::vector<double> weights;
  for (const std::int64_t id : order) {
    weights.push_back(std::exp((logits[static_cast<std::size_t>(id)] - best) / temperature));
  }
  std::discrete_distribution<std::size_t> choice(weights.begin(), weights.end());
  return order[choice(random)];
}
