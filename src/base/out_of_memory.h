#pragma once

#include <new>
#include <utility>

#include "quire/status.h"

namespace quire {

// Runs `work`, which returns a Status or a Result, and turns std::bad_alloc into
// kResourceExhausted. The one exception that may come from anywhere is caught where a request can
// be given up without touching another; what `work` changes must be consistent at every allocation.
template <typename Work>
auto fail_if_out_of_memory(Work&& work) -> decltype(work()) {
  try {
    return std::forward<Work>(work)();
  } catch (const std::bad_alloc&) {
    return resource_exhausted("out of memory");
  }
}

}  // namespace quire
