// Several questions at once, each with its own parameters, and a progress line:
// examples/batch PACKAGE QUESTION...

#include <iostream>
#include <vector>

#include "quire/llm.h"

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: batch PACKAGE QUESTION...\n";
    return 2;
  }
  auto llm = quire::Llm::open(argv[1], {.max_num_seqs = 16});
  if (!llm) {
    std::cerr << llm.error().message() << "\n";
    return 1;
  }
  std::vector<quire::GenerateRequest> requests;
  for (int i = 2; i < argc; ++i) {
    requests.push_back(
        {.prompt = std::vector<quire::ChatMessage>{{.role = "user", .content = argv[i]}},
         .params = {.max_tokens = 48, .temperature = 0.7, .top_p = 0.9, .seed = 1}});
  }
  const auto outputs = llm->generate(requests, [](const quire::Progress& progress) {
    std::cerr << "\r" << progress.num_finished << "/" << progress.num_prompts << " answered, "
              << progress.stats.num_generated_tokens << " tokens" << std::flush;
  });
  std::cerr << "\n";
  for (const quire::RequestOutput& output : outputs) {
    if (output.error.ok()) {
      std::cout << output.outputs[0].text << "\n---\n";
    } else {
      std::cout << "failed: " << output.error.message() << "\n---\n";
    }
  }
  return 0;
}
