// Greedy answers and a hash of all logits, for the test that compares machines:
//   same_bits_driver PACKAGE MAX_TOKENS < PROMPTS, one a line, through the chat template
// prints a line for each: the ids, then FNV-1a over the bits of the logits of every place of
// prompt and answer, computed in one go.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include "quire/llm.h"

namespace {

std::uint64_t hash_of(std::span<const float> values) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const std::byte byte : std::as_bytes(values)) {
    hash = (hash ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3U;
  }
  return hash;
}

int fail(const quire::Status& error) {
  std::cerr << error.message() << "\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: same_bits_driver PACKAGE MAX_TOKENS < PROMPTS\n";
    return 2;
  }
  auto llm = quire::Llm::open(argv[1], {.num_kv_blocks = 64, .max_num_seqs = 4});
  if (!llm) return fail(llm.error());
  std::string line;
  while (std::getline(std::cin, line)) {
    const quire::Prompt prompt = std::vector<quire::ChatMessage>{{.role = "user", .content = line}};
    const quire::SamplingParams params{.max_tokens = std::atoi(argv[2]), .ignore_eos = true};
    const auto outputs = llm->generate(std::vector{prompt}, params);
    if (!outputs[0].error.ok()) return fail(outputs[0].error);
    auto ids = llm->tokenize(prompt);
    if (!ids) return fail(ids.error());
    for (const quire::TokenId id : outputs[0].outputs[0].token_ids) {
      std::cout << id << " ";
      ids->push_back(id);
    }
    const auto logits = llm->runner().forward(*ids);
    if (!logits) return fail(logits.error());
    std::cout << hash_of(*logits) << std::endl;
  }
  return 0;
}
