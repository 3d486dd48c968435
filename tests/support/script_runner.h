#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "quire/model_runner.h"

namespace quire {

// Writes a text whatever it reads: the best token at each position is the next byte of a script,
// which begins again at its end, so that a test decides what the model says. For vocabularies of
// bytes, and prompts of one token.
class ScriptRunner : public ModelRunner {
 public:
  ScriptRunner(const ModelSpec& spec, std::string script)
      : spec_(spec), script_(std::move(script)) {}

  const ModelSpec& spec() const override { return spec_; }

  Status run(const ModelInput& input, std::vector<float>* logits) override {
    const auto vocab = static_cast<std::size_t>(spec_.vocab_size);
    logits->assign(input.logits_indices.size() * vocab, 0.0F);
    std::size_t sequence = 0;
    for (std::size_t row = 0; row < input.logits_indices.size(); ++row) {
      const std::int64_t token = input.logits_indices[row];
      while (token >= input.cumulative_sequence_lengths[sequence + 1]) ++sequence;
      const auto position = static_cast<std::size_t>(input.past_sequence_lengths[sequence] + token -
                                                     input.cumulative_sequence_lengths[sequence]);
      const auto byte = static_cast<unsigned char>(script_[position % script_.size()]);
      (*logits)[row * vocab + byte] = value_;
    }
    return ok_status();
  }

  // From now on no logits can be used.
  void poison() { value_ = std::numeric_limits<float>::quiet_NaN(); }

 private:
  ModelSpec spec_;
  std::string script_;
  float value_ = 10;
};

}  // namespace quire
