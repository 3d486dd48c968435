#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "grammar/limits.h"
#include "grammar/program.h"
#include "grammar/vocabulary.h"
#include "quire/types.h"

namespace quire::grammar {

using StateId = std::int32_t;

// Runs a program as a deterministic automaton whose states are made when they are first needed:
//
//   place  = node that reads, and the stack it stands on   stacks share their lower frames
//   state  = set of places that one text may be at         equal sets are one state
//
// States, their steps and their masks are kept until they take too much memory; then all of them
// are forgotten at once (generation() changes) and made again as needed. Not thread-safe: one
// engine's thread owns it, all its sequences share it.
class Automaton {
 public:
  static constexpr StateId kDead = -1;
  static constexpr StateId kTooMany = -3;  // the text could be at more places than are followed

  // Both must outlive it.
  Automaton(const Program& program, const Vocabulary& vocabulary, const Limits& limits);

  StateId start();
  // The state after one more byte; kDead when no text goes on so.
  StateId step(StateId state, std::uint8_t byte);
  StateId step_token(StateId state, TokenId token, bool leading);

  // The text may end here; nothing else is left to do here.
  bool accepting(StateId state) const { return states_[index(state)].accepting; }
  bool must_end(StateId state) const;

  // A bit a token that may come next, ends of the text apart. `leading`: the text is empty so far.
  // Empty when the state is too ambiguous to be walked within the limits. The view holds until the
  // next call.
  std::span<const std::uint64_t> mask(StateId state, bool leading);

  // Forgets all states if they take more memory than they may. Then states of before mean nothing.
  void make_room();
  std::uint64_t generation() const { return generation_; }
  std::size_t num_bytes() const { return num_bytes_; }
  std::size_t num_states() const { return states_.size(); }
  std::size_t num_masks() const { return masks_.size(); }

 private:
  static constexpr StateId kUnknown = -2;
  struct Place {
    std::int32_t node;
    std::int32_t frame;
    auto operator<=>(const Place&) const = default;
  };
  // What a place stands on: where to return to (`count` -1), or a repetition and how often it went.
  struct Frame {
    std::int32_t node;
    std::int32_t count;
    std::int32_t parent;
    bool operator==(const Frame&) const = default;
  };
  struct FrameHash {
    std::size_t operator()(const Frame& frame) const noexcept;
  };
  using Steps = std::array<StateId, 256>;
  struct State {
    std::size_t first_place = 0;
    std::size_t num_places = 0;
    std::unique_ptr<Steps> steps;
    std::array<std::int32_t, 2> mask = {-1, -1};  // by `leading`
    bool accepting = false;
  };

  static std::size_t index(std::int32_t id) { return static_cast<std::size_t>(id); }
  std::span<const Place> places(StateId state) const;
  std::int32_t push_frame(Frame frame);
  void reach(Place place);  // adds it to what close() follows
  StateId close();          // the state of everything reached
  StateId give_up();        // forgets what was reached
  void follow(Place place);
  void follow_return(Place place);
  void repeat(std::int32_t name, int count, std::int32_t parent);
  StateId intern(bool accepting);
  void prepare_steps(StateId state);
  bool takes_plain(StateId state);
  bool is_uniform(StateId state) const;
  bool walk(StateId state, bool leading, std::vector<std::uint64_t>* mask);
  void mark(const TokenTree& tree, const TokenTree::Node& node, std::vector<std::uint64_t>* mask);

  const Program& program_;
  const Vocabulary& vocabulary_;
  Limits limits_;

  std::vector<State> states_;
  std::vector<Place> place_pool_;
  std::unordered_multimap<std::uint64_t, StateId> by_hash_;
  std::vector<Frame> frames_;
  std::unordered_map<Frame, std::int32_t, FrameHash> frame_names_;
  std::vector<std::vector<std::uint64_t>> masks_;
  StateId start_ = kUnknown;
  std::size_t num_bytes_ = 0;
  std::uint64_t generation_ = 0;

  // Of the state that is being made; kept for their memory.
  std::vector<Place> open_;
  std::vector<Place> reached_;
  std::vector<Place> seen_;
  bool accepts_ = false;
  std::vector<StateId> path_;
};

}  // namespace quire::grammar
