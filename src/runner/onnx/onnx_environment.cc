#include "runner/onnx/onnx_environment.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>

#include "base/system_memory.h"

namespace quire::onnx {
namespace {

// Some is left to the rest of the process: the cache, the prompts, the answers.
std::size_t most_bytes() {
  constexpr std::uint64_t kMost = std::numeric_limits<std::size_t>::max() / 2;
  const std::uint64_t available = available_memory_bytes();
  return static_cast<std::size_t>(std::min(available - available / 8, kMost));
}

}  // namespace

OnnxEnvironment::OnnxEnvironment() : env_(OrtLoggingLevel::ORT_LOGGING_LEVEL_FATAL, "quire") {
  constexpr int kDefault = -1;
  env_.DisableTelemetryEvents();
  const Ort::ArenaCfg arena(most_bytes(), kDefault, kDefault, kDefault);
  const Ort::MemoryInfo memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  env_.CreateAndRegisterAllocator(memory, arena);
}

std::shared_ptr<OnnxEnvironment> OnnxEnvironment::shared() {
  static std::mutex mutex;
  static std::weak_ptr<OnnxEnvironment> known;
  const std::lock_guard lock(mutex);
  std::shared_ptr<OnnxEnvironment> found = known.lock();
  if (found == nullptr) {
    found.reset(new OnnxEnvironment);
    known = found;
  }
  return found;
}

}  // namespace quire::onnx
