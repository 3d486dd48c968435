#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "openai/nanochat_api.h"

namespace quire::openai {
namespace {

Result<ApiRequest> read(const std::string& text) {
  auto body = ApiBody::parse(text);
  if (!body) return body.error();
  return read_nanochat_request(*std::move(body), {}, {});
}

std::string of_size(std::size_t characters, const std::string& character) {
  std::string text;
  for (std::size_t i = 0; i < characters; ++i) text += character;
  return R"({"messages":[{"role":"user","content":")" + text + R"("}]})";
}

TEST(NanochatTest, WhatIsLeftOutIsAsItWasInNanochat) {
  const auto request = read(of_size(1, "a"));
  ASSERT_TRUE(request) << request.error().message();
  EXPECT_TRUE(request->stream);
  const SamplingParams& params = request->requests.front().params;
  EXPECT_EQ(params.temperature, 0.8);
  EXPECT_EQ(params.top_k, 50);
  EXPECT_EQ(params.max_tokens, 512);
}

TEST(NanochatTest, CharactersAreCountedAndNotBytes) {
  EXPECT_TRUE(read(of_size(8000, "\u00e9")));
  EXPECT_FALSE(read(of_size(8001, "\u00e9")));
  EXPECT_FALSE(read(of_size(0, "a")));
}

TEST(NanochatTest, AnAnswerIsAStreamOfTokensWithAnEnd) {
  const auto request = read(of_size(1, "a"));
  ASSERT_TRUE(request);
  const auto answer = make_nanochat_answer(*request, {}, {});
  EXPECT_EQ(answer->begin(), "");
  EXPECT_EQ(answer->delta(0, {.text = "a\"b"}), "data: {\"token\":\"a\\\"b\",\"gpu\":0}\n\n");
  EXPECT_EQ(answer->delta(0, {.text = ""}), "");
  EXPECT_EQ(answer->delta(0, {.kind = PartKind::kToolCall, .text = "1+1"}), "");
  EXPECT_EQ(answer->end({}), "data: {\"done\": true}\n\n");
}

}  // namespace
}  // namespace quire::openai
