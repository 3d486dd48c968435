#pragma once

#include <chrono>
#include <cstdint>

#include "quire/output.h"

namespace quire::cli {

// Draws where a generate() call stands on stderr: a bar, tokens a second, time left. Draws nothing
// when stderr is not a terminal.
class ProgressBar {
 public:
  ProgressBar();

  // Redraws, at most ten times a second.
  void update(const Progress& progress);

  // Removes the bar from the screen.
  void clear();

 private:
  bool enabled_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point last_draw_;
};

// Prints a line about the engine on stderr about once a second, in vLLM's manner: what runs and
// waits, blocks in use, prefix hits, speed.
class StatsLine {
 public:
  void update(const Progress& progress);

 private:
  double last_seconds_ = 0;
  std::int64_t last_generated_ = 0;
};

}  // namespace quire::cli
