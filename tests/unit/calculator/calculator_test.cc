#include "calculator/calculator.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace quire {
namespace {

// Golden cases of nanochat's own function, one file an era.
void check_goldens(const std::string& folder, const CalculatorOptions& options) {
  std::ifstream file(QUIRE_TEST_DATA "/nanochat/" + folder + "/golden/calculator.json");
  const auto cases = nlohmann::json::parse(file).at("cases");
  ASSERT_EQ(cases.size(), 266U);
  for (const auto& entry : cases) {
    const auto expression = entry.at("expr").get<std::string>();
    std::optional<std::string> expected;
    if (!entry.at("result").is_null()) expected = entry.at("result").get<std::string>();
    EXPECT_EQ(calculate(expression, options), expected) << expression;
  }
}

TEST(CalculatorTest, EqualsTheGoldensOfTodaysNanochat) { check_goldens("A-e5-d4", {}); }

TEST(CalculatorTest, EqualsTheGoldensOfTheFirstNanochatWithoutTexts) {
  check_goldens("B-e0-d3", {.texts = false});
}

TEST(CalculatorTest, RefusesWhatIsBeyondItsLimits) {
  const auto repeat = [](const std::string& text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) all += text;
    return all;
  };
  EXPECT_EQ(calculate(std::string(200, '(') + "1" + std::string(200, ')')), "1");
  EXPECT_EQ(calculate(std::string(201, '(') + "1" + std::string(201, ')')), std::nullopt);
  EXPECT_EQ(calculate(std::string(4300, '9')), std::string(4300, '9'));
  EXPECT_EQ(calculate(std::string(4301, '9')), std::nullopt);
  EXPECT_EQ(calculate(std::string(4300, '9') + "+1"), std::nullopt);
  EXPECT_EQ(calculate("1" + repeat("+1", 2900)), "2901");
  EXPECT_EQ(calculate("1" + repeat("+1", 8000)), std::nullopt);
  EXPECT_EQ(calculate(std::string(16385, ' ') + "1"), std::nullopt);
  EXPECT_EQ(calculate("'a'.zfill(1000000000).count('a')"), std::nullopt);
  EXPECT_EQ(calculate("'a'.center(99999999999999999999).count('a')"), std::nullopt);
}

TEST(CalculatorTest, TheWorstExpressionsTakeLittleTime) {
  const auto start = std::chrono::steady_clock::now();
  const std::string nines(4200, '9');
  std::string product = nines + "*" + nines + "*" + nines;
  while (product.size() < 16000) product += "//7*3";
  calculate(product);
  std::string search = "'" + std::string(6000, 'a') + "'";
  while (search.size() < 16000) search += ".replace('')";
  calculate(search + ".count('" + std::string(300, 'a') + "b')");
  std::string joins = "'" + std::string(4000, 'a') + "'.count('a')";
  while (joins.size() < 16000) joins += " and 'a'.zfill(16000).count('a'.zfill(8000))";
  calculate(joins);
  // Some tens of milliseconds; the bound leaves room for sanitizers and a busy machine.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(3));
}

}  // namespace
}  // namespace quire
