#include "speculation/prompt_lookup.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace quire {
namespace {

constexpr std::size_t kShortestMatch = 2;  // what last_place_ is keyed by
constexpr std::size_t kLongestMatch = 16;
constexpr int kMostPlaces = 16;       // that are compared for the longest match
constexpr double kLearnRate = 0.125;  // of an exponential average over some eight guesses

// The two tokens before a place.
std::uint64_t pair_before(std::span<const TokenId> tokens, std::size_t place) {
  const auto half = [&](std::size_t i) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(tokens[i]));
  };
  return half(place - 2) << 32U | half(place - 1);
}

// How many tokens before `place` are those at the end, as far as it matters.
std::size_t match_length(std::span<const TokenId> tokens, std::size_t place) {
  const std::size_t most = std::min(place, kLongestMatch);
  std::size_t length = 0;
  while (length < most && tokens[place - 1 - length] == tokens[tokens.size() - 1 - length]) {
    ++length;
  }
  return length;
}

std::size_t bucket_of(std::size_t match_length) {
  if (match_length <= 3) return match_length - kShortestMatch;
  if (match_length <= 5) return 2;
  return match_length <= 9 ? 3 : 4;
}

// The longest guess whose last id, too, is worth its row: right where all before it are.
int num_worthwhile(double hit_rate, double break_even, int most) {
  double right = hit_rate;
  int count = 0;
  while (count < most && right > break_even) {
    ++count;
    right *= hit_rate;
  }
  return count;
}

}  // namespace

void PromptLookup::learn(std::span<const TokenId> tokens) {
  double& rate = hit_rate_.at(guess_.bucket);
  for (std::size_t i = 0; i < guess_.ids.size() && num_seen_ + i < tokens.size(); ++i) {
    const bool hit = guess_.ids[i] == tokens[num_seen_ + i];
    rate += kLearnRate * ((hit ? 1.0 : 0.0) - rate);
    if (!hit) return;
  }
}

// Every place but the end itself, which nothing follows yet.
void PromptLookup::index(std::span<const TokenId> tokens) {
  const std::size_t begin = std::max(earlier_place_.size(), kShortestMatch);
  earlier_place_.resize(std::max(tokens.size(), begin), 0);
  for (std::size_t place = begin; place < tokens.size(); ++place) {
    int& last = last_place_[pair_before(tokens, place)];
    earlier_place_[place] = last;
    last = static_cast<int>(place);
  }
}

PromptLookup::Guess PromptLookup::look_up(std::span<const TokenId> tokens, int most) const {
  if (tokens.size() < kShortestMatch) return {};
  const auto found = last_place_.find(pair_before(tokens, tokens.size()));
  if (found == last_place_.end()) return {};
  std::size_t best_place = 0;
  std::size_t best_length = 0;
  int place = found->second;
  for (int i = 0; i < kMostPlaces && place != 0; ++i) {
    const std::size_t length = match_length(tokens, static_cast<std::size_t>(place));
    if (length > best_length) {
      best_length = length;
      best_place = static_cast<std::size_t>(place);
    }
    place = earlier_place_[static_cast<std::size_t>(place)];
  }
  Guess guess{.bucket = bucket_of(best_length), .ids = {}};
  guess.ids.reserve(static_cast<std::size_t>(most));
  const std::size_t distance = tokens.size() - best_place;
  for (std::size_t i = 0; i < static_cast<std::size_t>(most); ++i) {
    guess.ids.push_back(i < distance ? tokens[best_place + i] : guess.ids[i - distance]);
  }
  return guess;
}

std::vector<TokenId> PromptLookup::propose(std::span<const TokenId> tokens,
                                           int most,
                                           double break_even) {
  learn(tokens);
  index(tokens);
  num_seen_ = tokens.size();
  guess_ = look_up(tokens, std::max(most, 0));
  const int count =
      num_worthwhile(hit_rate_.at(guess_.bucket), break_even, static_cast<int>(guess_.ids.size()));
  return {guess_.ids.begin(), guess_.ids.begin() + count};
}

}  // namespace quire
