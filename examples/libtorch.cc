// A package's TorchScript with nothing but LibTorch: no engine, no cache, a few dozen lines.
//   examples/libtorch PACKAGE MAX_TOKENS TEMPERATURE TOP_K ID...
// PACKAGE is one of `quire-export --format torchscript --cache none`, and its model.pt is run as
// the program it is: use files you trust. Prints the best token after the prompt, then the ids it
// generates.

#include <torch/script.h>

#include <algorithm>
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
      : module_(torch::jit::load((package / "model.pt").string(), at::kCPU)) {
    module_.eval();
  }

  // Logits of the token after `ids`: one forward pass over all of them.
  std::vector<float> forward(std::vector<std::int64_t> ids) {
    const c10::InferenceMode inference;
    const at::Tensor input =
        at::from_blob(ids.data(), {1, static_cast<std::int64_t>(ids.size())}, at::kLong);
    const at::Tensor logits = module_.forward({input, at::zeros({}, at::kLong)}).toTensor();
    const at::Tensor last = logits.select(1, -1).contiguous();  // of [1, ids, vocab]
    const float* data = last.const_data_ptr<float>();
    return {data, data + last.numel()};
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
  torch::jit::Module module_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) {
    std::cerr << "usage: libtorch PACKAGE MAX_TOKENS TEMPERATURE TOP_K ID...\n";
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
    std::cerr << "libtorch: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
