// An engine over a model of one's own: here one that counts upwards, so that the right answer is
// known. Needs no package; returns 0 when the answers are right.

#include <iostream>
#include <memory>
#include <vector>

#include "quire/llm.h"

namespace {

constexpr int kVocab = 100;

// After token t comes t + 1.
class CountingRunner : public quire::ModelRunner {
 public:
  const quire::ModelSpec& spec() const override { return spec_; }

  quire::Status run(const quire::ModelInput& input, std::vector<float>* logits) override {
    logits->assign(input.logits_indices.size() * kVocab, 0.0F);
    for (std::size_t row = 0; row < input.logits_indices.size(); ++row) {
      const auto last = input.token_ids[static_cast<std::size_t>(input.logits_indices[row])];
      (*logits)[row * kVocab + static_cast<std::size_t>((last + 1) % kVocab)] = 1.0F;
    }
    return quire::ok_status();
  }

 private:
  quire::ModelSpec spec_ = {
      .vocab_size = kVocab, .max_seq_len = 256, .num_kv_blocks = 64, .block_size = 16};
};

}  // namespace

int main() {
  quire::Llm llm({.max_num_seqs = 4}, std::make_unique<CountingRunner>(), nullptr);
  const std::vector<quire::Prompt> prompts = {std::vector<quire::TokenId>{1, 2, 3},
                                              std::vector<quire::TokenId>{97, 98}};
  const auto outputs = llm.generate(prompts, {.max_tokens = 4});
  const std::vector<std::vector<quire::TokenId>> expected = {{4, 5, 6, 7}, {99, 0, 1, 2}};
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].error.ok() || outputs[i].outputs[0].token_ids != expected[i]) {
      std::cerr << "prompt " << i << " went wrong: " << outputs[i].error.message() << "\n";
      return 1;
    }
  }
  std::cout << "both prompts were continued as expected\n";
  return 0;
}
