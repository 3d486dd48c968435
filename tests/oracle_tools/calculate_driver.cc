// Answers the oracle test: reads one expression as a JSON string a line, prints the calculator's
// result as a JSON string, or null.
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "calculator/calculator.h"

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    const auto result = quire::calculate(nlohmann::json::parse(line).get<std::string>());
    std::cout << (result ? nlohmann::json(*result) : nlohmann::json(nullptr)).dump() << '\n';
  }
  return 0;
}
