// An answer as it is written: examples/streaming PACKAGE QUESTION

#include <iostream>
#include <vector>

#include "quire/llm.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: streaming PACKAGE QUESTION\n";
    return 2;
  }
  auto llm = quire::Llm::open(argv[1]);
  if (!llm) {
    std::cerr << llm.error().message() << "\n";
    return 1;
  }
  const std::vector<quire::ChatMessage> messages = {{.role = "user", .content = argv[2]}};
  const quire::RequestOutput output =
      llm->stream(messages, {.max_tokens = 128}, [](const quire::TextDelta& delta) {
        std::cout << delta.text << std::flush;
      });
  std::cout << "\n";
  if (output.error.ok()) return 0;
  std::cerr << output.error.message() << "\n";
  return 1;
}
