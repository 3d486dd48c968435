// One plain forward pass, without engine, sampling or text: examples/forward PACKAGE ID...
// Prints the best next token after each of the ids.

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <span>
#include <vector>

#include "quire/llm.h"

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: forward PACKAGE ID...\n";
    return 2;
  }
  auto llm = quire::Llm::open(argv[1]);
  if (!llm) {
    std::cerr << llm.error().message() << "\n";
    return 1;
  }
  std::vector<quire::TokenId> ids;
  for (int i = 2; i < argc; ++i) ids.push_back(std::atoi(argv[i]));
  const auto logits = llm->runner().forward(ids);
  if (!logits) {
    std::cerr << logits.error().message() << "\n";
    return 1;
  }
  const auto vocab = static_cast<std::size_t>(llm->runner().spec().vocab_size);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto row = std::span(*logits).subspan(i * vocab, vocab);
    const auto best = std::ranges::max_element(row);
    std::cout << ids[i] << " -> " << best - row.begin() << " (" << *best << ")\n";
  }
  return 0;
}
