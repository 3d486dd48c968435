#include "runner/onnx/onnx_environment.h"

#include <gtest/gtest.h>
#include <onnxruntime_session_options_config_keys.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>

#include "base/system_memory.h"
#include "runner/onnx/onnx_library.h"

namespace quire::onnx {
namespace {

const bool kLoaded = load_onnxruntime().ok();

// A field of a protobuf message, numbered as in onnx.proto; short ones only.
std::string field(int number, const std::string& value) {
  return static_cast<char>(number << 3 | 2) + (static_cast<char>(value.size()) + value);
}
std::string field(int number, int value) {
  return {static_cast<char>(number << 3), static_cast<char>(value)};
}

// One number in, the same out.
std::string identity_model() {
  const std::string shape = field(1, field(1, 1));
  const std::string type = field(2, field(1, field(1, 1) + field(2, shape)));
  const std::string node = field(1, "x") + field(2, "y") + field(4, "Identity");
  const std::string graph = field(1, node) + field(2, "g") + field(11, field(1, "x") + type) +
                            field(12, field(1, "y") + type);
  return field(1, 9) + field(8, field(2, 18)) + field(7, graph);
}

// Whether a step could take so many bytes. None of them is touched.
bool can_take(Ort::Allocator& allocator, std::size_t num_bytes) {
  try {
    void* const memory = allocator.Alloc(num_bytes);
    allocator.Free(memory);
    return memory != nullptr;
  } catch (const std::exception&) {
    return false;
  }
}

TEST(OnnxEnvironmentTest, StepsOfAllSessionsTakeNoMoreThanTheMachineHasLeft) {
  ASSERT_TRUE(kLoaded);
  const std::uint64_t available = available_memory_bytes();
  const auto environment = OnnxEnvironment::shared();
  EXPECT_EQ(OnnxEnvironment::shared(), environment);
  Ort::SessionOptions options;
  options.AddConfigEntry(kOrtSessionOptionsConfigUseEnvAllocators, "1");
  const std::string model = identity_model();
  const Ort::Session session(environment->env(), model.data(), model.size(), options);
  const auto where = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  Ort::Allocator allocator(session, where);
  EXPECT_TRUE(can_take(allocator, std::size_t{1} << 20U));
  EXPECT_FALSE(can_take(allocator, static_cast<std::size_t>(available)));
}

TEST(OnnxEnvironmentTest, WhenTheLastSessionIsGoneTheNextHasANewOne) {
  ASSERT_TRUE(kLoaded);
  std::weak_ptr<OnnxEnvironment> first = OnnxEnvironment::shared();
  EXPECT_TRUE(first.expired());
  EXPECT_NE(OnnxEnvironment::shared(), nullptr);
}

}  // namespace
}  // namespace quire::onnx
