#include "grammar/automaton.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace quire::grammar {
namespace {

// Costs of containers' entries, for the count of memory: near enough.
constexpr std::size_t kStateBytes = 160;
constexpr std::size_t kFrameBytes = 64;

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash ^= value + 0x9E3779B97F4A7C15ULL + (hash << 6U) + (hash >> 2U);
  return hash * 0xFF51AFD7ED558CCDULL;
}

void set_bit(std::vector<std::uint64_t>* mask, TokenId id) {
  (*mask)[static_cast<std::size_t>(id) / 64] |= std::uint64_t{1}
                                                << (static_cast<std::size_t>(id) % 64);
}

}  // namespace

std::size_t Automaton::FrameHash::operator()(const Frame& frame) const noexcept {
  const auto as_number = [](std::int32_t value) { return static_cast<std::uint32_t>(value); };
  return mix(mix(as_number(frame.node), as_number(frame.count)), as_number(frame.parent));
}

Automaton::Automaton(const Program& program, const Vocabulary& vocabulary, const Limits& limits)
    : program_(program), vocabulary_(vocabulary), limits_(limits) {
  frames_.push_back({-1, -1, -1});  // 0: the bottom
}

std::span<const Automaton::Place> Automaton::places(StateId state) const {
  const State& s = states_[index(state)];
  return std::span(place_pool_).subspan(s.first_place, s.num_places);
}

std::int32_t Automaton::push_frame(Frame frame) {
  const auto [found, added] =
      frame_names_.try_emplace(frame, static_cast<std::int32_t>(frames_.size()));
  if (added) {
    frames_.push_back(frame);
    num_bytes_ += kFrameBytes;
  }
  return found->second;
}

// What a place without a byte to read leads to. Everything is followed once.
void Automaton::reach(Place place) {
  const Node& node = program_.nodes[index(place.node)];
  if (node.kind == Node::Kind::kRanges || node.kind == Node::Kind::kToken) {
    reached_.push_back(place);
    return;
  }
  if (std::ranges::find(seen_, place) != seen_.end()) return;
  seen_.push_back(place);
  open_.push_back(place);
}

// The body of a repetition was matched `count` times, on the stack `parent`.
void Automaton::repeat(std::int32_t name, int count, std::int32_t parent) {
  const Repetition& repetition = program_.repetitions[index(name)];
  if (count >= repetition.min) reach({repetition.next, parent});
  if (repetition.max >= 0 && count >= repetition.max) return;
  // Past its minimum an endless one goes on as it is.
  const int kept = repetition.max < 0 ? std::min(count, repetition.min) : count;
  reach({repetition.body, push_frame({name, kept, parent})});
}

void Automaton::follow_return(Place place) {
  if (place.frame == 0) {
    accepts_ = true;
    return;
  }
  const Frame frame = frames_[index(place.frame)];
  reach({frame.node, frame.parent});
}

void Automaton::follow(Place place) {
  const Node& node = program_.nodes[index(place.node)];
  switch (node.kind) {
    case Node::Kind::kSplit:
      for (std::int32_t i = 0; i < node.count; ++i) {
        reach({program_.targets[index(node.first + i)], place.frame});
      }
      return;
    case Node::Kind::kCall: {
      const std::int32_t start = program_.rule_starts[index(node.first)];
      // A call at a rule's end needs no way back to it.
      const bool last = node.next == Program::kReturn;
      reach({start, last ? place.frame : push_frame({node.next, -1, place.frame})});
      return;
    }
    case Node::Kind::kEnter:
      return repeat(node.first, 0, place.frame);
    case Node::Kind::kAgain: {
      const Frame frame = frames_[index(place.frame)];
      return repeat(node.first, frame.count + 1, frame.parent);
    }
    case Node::Kind::kReturn:
      return follow_return(place);
    case Node::Kind::kRanges:
    case Node::Kind::kToken:
      return;
  }
}

StateId Automaton::close() {
  while (!open_.empty()) {
    const Place place = open_.back();
    open_.pop_back();
    follow(place);
    if (seen_.size() > limits_.configurations || reached_.size() > 4 * limits_.configurations) {
      open_.clear();
      return give_up();
    }
  }
  std::ranges::sort(reached_);
  const auto [first, last] = std::ranges::unique(reached_);
  reached_.erase(first, last);
  if (reached_.size() > limits_.configurations) return give_up();
  const StateId state = intern(accepts_);
  give_up();
  return state;
}

StateId Automaton::give_up() {
  seen_.clear();
  reached_.clear();
  accepts_ = false;
  return kTooMany;
}

StateId Automaton::intern(bool accepting) {
  if (reached_.empty() && !accepting) return kDead;
  std::uint64_t hash = accepting ? 1 : 0;
  for (const Place& place : reached_) {
    hash = mix(hash, static_cast<std::uint64_t>(place.node));
    hash = mix(hash, static_cast<std::uint64_t>(place.frame));
  }
  const auto [begin, end] = by_hash_.equal_range(hash);
  for (auto found = begin; found != end; ++found) {
    const State& state = states_[index(found->second)];
    if (state.accepting == accepting && std::ranges::equal(places(found->second), reached_)) {
      return found->second;
    }
  }
  const auto id = static_cast<StateId>(states_.size());
  State state;
  state.first_place = place_pool_.size();
  state.num_places = reached_.size();
  state.accepting = accepting;
  place_pool_.insert(place_pool_.end(), reached_.begin(), reached_.end());
  states_.push_back(std::move(state));
  by_hash_.emplace(hash, id);
  num_bytes_ += kStateBytes + reached_.size() * sizeof(Place);
  return id;
}

StateId Automaton::start() {
  if (start_ == kUnknown) {
    reach({program_.start, 0});
    start_ = close();
  }
  return start_;
}

// Bytes that no place reads are dead without being tried.
void Automaton::prepare_steps(StateId state) {
  auto steps = std::make_unique<Steps>();
  steps->fill(kDead);
  for (const Place& place : places(state)) {
    const Node& node = program_.nodes[index(place.node)];
    if (node.kind != Node::Kind::kRanges) continue;
    for (std::int32_t i = 0; i < node.count; ++i) {
      const ByteEdge& edge = program_.edges[index(node.first + i)];
      std::fill(steps->begin() + edge.low, steps->begin() + edge.high + 1, kUnknown);
    }
  }
  states_[index(state)].steps = std::move(steps);
  num_bytes_ += sizeof(Steps);
}

StateId Automaton::step(StateId state, std::uint8_t byte) {
  if (state < 0) return state;
  if (!states_[index(state)].steps) prepare_steps(state);
  StateId next = (*states_[index(state)].steps)[byte];
  if (next != kUnknown) return next;
  for (const Place& place : places(state)) {
    const Node& node = program_.nodes[index(place.node)];
    if (node.kind != Node::Kind::kRanges) continue;
    const auto edges = std::span(program_.edges).subspan(index(node.first), index(node.count));
    for (const ByteEdge& edge : edges) {
      if (byte < edge.low) break;
      if (byte <= edge.high) reach({edge.next, place.frame});
    }
  }
  next = close();
  (*states_[index(state)].steps)[byte] = next;
  return next;
}

StateId Automaton::step_token(StateId state, TokenId token, bool leading) {
  if (state < 0) return state;
  const std::string& bytes = vocabulary_.bytes(token, leading);
  if (bytes.empty() || program_.has_tokens) {
    for (const Place& place : places(state)) {
      const Node& node = program_.nodes[index(place.node)];
      if (node.kind == Node::Kind::kToken && node.first == token) reach({node.next, place.frame});
    }
    const StateId next = close();
    if (next != kDead || bytes.empty()) return next;
  }
  for (const char byte : bytes) state = step(state, static_cast<std::uint8_t>(byte));
  return state;
}

bool Automaton::must_end(StateId state) const {
  const State& s = states_[index(state)];
  return s.accepting && s.num_places == 0;
}

void Automaton::mark(const TokenTree& tree,
                     const TokenTree::Node& node,
                     std::vector<std::uint64_t>* mask) {
  if (node.token < 0) return;
  set_bit(mask, node.token);
  if (node.more == 0) return;
  for (const TokenId id : tree.same[index(node.more - 1)]) set_bit(mask, id);
}

// Whether all plain bytes lead from the state to one and the same.
bool Automaton::is_uniform(StateId state) const {
  constexpr std::array<std::pair<int, int>, 3> kPlain = {
      {{0x20, 0x21}, {0x23, 0x5B}, {0x5D, 0x7E}}};
  for (const Place& place : places(state)) {
    const Node& node = program_.nodes[index(place.node)];
    if (node.kind != Node::Kind::kRanges) continue;
    std::size_t whole = 0;
    std::int32_t next = -1;
    const auto edges = std::span(program_.edges).subspan(index(node.first), index(node.count));
    for (const auto& [low, high] : kPlain) {
      for (const ByteEdge& edge : edges) {
        if (edge.high < low || edge.low > high) continue;
        if (edge.low > low || edge.high < high) return false;  // a part of it
        if (next >= 0 && next != edge.next) return false;
        next = edge.next;
        ++whole;
      }
    }
    if (whole != 0 && whole != kPlain.size()) return false;
  }
  return true;
}

// Whether every plain token fits here: so it does within a string with room left, where trying them
// all would take most of a walk.
bool Automaton::takes_plain(StateId state) {
  for (int i = 0; i < Vocabulary::kPlainBytes; ++i) {
    if (!is_uniform(state)) return false;
    const StateId next = step(state, 'a');
    if (next < 0) return false;
    if (next == state) return true;
    state = next;
  }
  return true;
}

// Tries all tokens at once, on the tree of their bytes. The work is counted by what the states are,
// not by what is known of them already, so that it is the same alone and in a crowd.
bool Automaton::walk(StateId state, bool leading, std::vector<std::uint64_t>* mask) {
  const bool plain = !leading && takes_plain(state);
  if (plain) *mask = vocabulary_.plain_mask();
  const TokenTree& tree = plain ? vocabulary_.rest_tree() : vocabulary_.tree(leading);
  std::size_t work = 0;
  path_.assign(1, state);
  const auto count = static_cast<std::int32_t>(tree.nodes.size());
  for (std::int32_t at = 0; at < count;) {
    const TokenTree::Node& node = tree.nodes[index(at)];
    path_.resize(node.depth + std::size_t{1});
    const StateId next = step(path_.back(), node.byte);
    if (next == kDead) {
      at = node.skip;
      continue;
    }
    if (next == kTooMany) return false;
    work += 1 + states_[index(next)].num_places;
    if (work > limits_.mask_work) return false;
    mark(tree, node, mask);
    path_.push_back(next);
    ++at;
  }
  for (const Place& place : places(state)) {
    const Node& node = program_.nodes[index(place.node)];
    if (node.kind == Node::Kind::kToken && node.first < vocabulary_.size()) {
      set_bit(mask, node.first);
    }
  }
  return true;
}

std::span<const std::uint64_t> Automaton::mask(StateId state, bool leading) {
  const bool as_first = leading && vocabulary_.has_leading();
  const std::size_t which = as_first ? 1 : 0;
  if (states_[index(state)].mask[which] < 0) {
    std::vector<std::uint64_t> mask(vocabulary_.num_mask_words());
    if (!walk(state, as_first, &mask)) return {};
    states_[index(state)].mask[which] = static_cast<std::int32_t>(masks_.size());
    num_bytes_ += mask.size() * sizeof(std::uint64_t);
    masks_.push_back(std::move(mask));
  }
  return masks_[index(states_[index(state)].mask[which])];
}

void Automaton::make_room() {
  if (num_bytes_ <= limits_.automaton_bytes) return;
  states_.clear();
  place_pool_.clear();
  by_hash_.clear();
  frames_.resize(1);
  frame_names_.clear();
  masks_.clear();
  start_ = kUnknown;
  num_bytes_ = 0;
  ++generation_;
}

}  // namespace quire::grammar
