// One prompt, one answer: examples/hello PACKAGE [QUESTION]

#include <iostream>
#include <string>
#include <vector>

#include "quire/llm.h"

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: hello PACKAGE [QUESTION]\n";
    return 2;
  }
  auto llm = quire::Llm::open(argv[1]);
  if (!llm) {
    std::cerr << llm.error().message() << "\n";
    return 1;
  }
  const std::string question = argc > 2 ? argv[2] : "What is the capital of France?";
  const std::vector<quire::Prompt> prompts = {
      std::vector<quire::ChatMessage>{{.role = "user", .content = question}}};
  const auto outputs = llm->generate(prompts, {.max_tokens = 64});
  if (!outputs[0].error.ok()) {
    std::cerr << outputs[0].error.message() << "\n";
    return 1;
  }
  std::cout << outputs[0].outputs[0].text << "\n";
  return 0;
}
