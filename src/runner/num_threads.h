#pragma once

#include <algorithm>
#include <thread>

namespace quire {

// The threads of a model step: as asked for, or the machine's cores for 0.
inline int choose_num_threads(int requested) {
  if (requested > 0) return requested;
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace quire
