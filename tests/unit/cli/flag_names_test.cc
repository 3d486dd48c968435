#include "cli/flag_names.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "quire/options.h"

namespace quire::cli {
namespace {

TEST(FlagNames, EveryRefusalOfAnEngineOptionIsSpelledWithItsFlag) {
  const std::vector<std::pair<EngineOptions, std::string>> wrong = {
      {{.num_threads = -1}, "--threads is -1, "},
      {{.device = "quantum"}, "--device is \"quantum\", "},
      {{.num_kv_blocks = -1}, "--kv-blocks is -1, "},
      {{.kv_dtype = "int1"}, "--kv-dtype is \"int1\", "},
      {{.block_size = 5}, "--block-size is 5, "},
      {{.block_size = 24}, "--block-size is 24, "},
      {{.max_num_seqs = 0}, "--max-num-seqs is 0, "},
      {{.max_batch_tokens = 0}, "--max-batch-tokens is 0, "},
      {{.tools = "abacus"}, "--tools is \"abacus\", "},
  };
  for (const auto& [options, beginning] : wrong) {
    const std::string message = validate(options).message();
    EXPECT_EQ(message.find("--"), std::string::npos) << message;
    EXPECT_TRUE(with_flag_names(message).starts_with(beginning)) << message;
  }
}

TEST(FlagNames, AValueThatTheLibraryAdvisesFollowsItsFlag) {
  EXPECT_EQ(with_flag_names("go without it: option tools=none"), "go without it: --tools none");
  EXPECT_EQ(with_flag_names("lower option num_kv_blocks or option block_size, please"),
            "lower --kv-blocks or --block-size, please");
  EXPECT_EQ(with_flag_names("option tools="), "--tools=");
}

TEST(FlagNames, WordsThatOnlyLookLikeOptionsStayAsTheyAre) {
  for (const std::string text : {"",
                                 "option ",
                                 "no option",
                                 "there is no option --frobnicate",
                                 "adoption tools=none",
                                 "option toolset",
                                 "/models/tools/device/backend: not found",
                                 "option option unknown"}) {
    EXPECT_EQ(with_flag_names(text), text);
  }
  EXPECT_EQ(with_flag_names("option option tools"), "option --tools");
}

}  // namespace
}  // namespace quire::cli
