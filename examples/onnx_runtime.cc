// A package's graph with nothing but ONNX Runtime: no engine, no cache, a few dozen lines.
//   examples/onnx_runtime PACKAGE MAX_TOKENS TEMPERATURE TOP_K ID...
// PACKAGE is one of `quire-export --cache none`. Prints the best token after the prompt, then the
// ids it generates.

#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <random>
#include <vector>

#include "next_token.h"

namespace {

class Model {
 public:
  explicit Model(const std::filesystem::path& package)
      : session_(env_, (package / "model.onnx").c_str(), Ort::SessionOptions()) {}

  // Logits of the token after `ids`: one forward pass over all of them.
  std::vector<float> forward(std::vector<std::int64_t> ids) {
    const std::array<std::int64_t, 2> shape = {1, static_cast<std::int64_t>(ids.size())};
    std::int64_t offset = 0;
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeCPU);
    std::array<Ort::Value, 2> inputs = {
        Ort::Value::CreateTensor(memory, ids.data(), ids.size(), shape.data(), shape.size()),
        Ort::Value::CreateTensor(memory, &offset, 1, nullptr, 0)};
    const std::array<const char*, 2> names = {"input_ids", "position_offset"};
    const char* output = "logits";
    const auto outputs = session_.Run(
        Ort::RunOptions(nullptr), names.data(), inputs.data(), inputs.size(), &output, 1);
    const auto logits = outputs.front().GetTensorTypeAndShapeInfo().GetShape();  // [1, ids, vocab]
    const float* last = outputs.front().GetTensorData<float>() + (logits[1] - 1) * logits[2];
    return {last, last + logits[2]};
  }

  // `prompt_ids` and what follows them: the best token at temperature 0, else one of the `top_k`
  // best (0: of all) by chance.
  std::vector<std::int64_t> generate(std::vector<std::int64_t> prompt_ids,
                                     int max_tokens,
                                     float temperature,
                                     int top_k) {
    std::mt19937 random(42);
    for (int i = 0; i < max_tokens; ++i) {
      prompt_ids.push_back(next_token(forward(prompt_ids), temperature, top_k, random));
    }
    return prompt_ids;
  }

 private:
  Ort::Env env_{ORT_LOGGING_LEVEL_FATAL, "example"};
  Ort::Session session_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) {
    std::cerr << "usage: onnx_runtime PACKAGE MAX_TOKENS TEMPERATURE TOP_K ID...\n";
    return 2;
  }
  try {
    Model model(argv[1]);
    std::vector<std::int64_t> ids;
    for (int i = 5; i < argc; ++i) ids.push_back(std::atoll(argv[i]));
    const std::vector<float> logits = model.forward(ids);
    std::cout << "best: " << std::ranges::max_element(logits) - logits.begin() << "\n";
    const float temperature = std::strtof(argv[3], nullptr);
    const auto all = model.generate(ids, std::atoi(argv[2]), temperature, std::atoi(argv[4]));
    std::cout << "generated:";
    for (std::size_t i = ids.size(); i < all.size(); ++i) std::cout << " " << all[i];
    std::cout << "\n";
  } catch (const std::exception& error) {
    std::cerr << "onnx_runtime: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
