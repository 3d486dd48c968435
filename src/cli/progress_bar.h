#pragma once

#include <chrono>

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

}  // namespace quire::cli
