#include <string>
#include <string_view>

#include "base/check.h"
#include "base/utf8.h"
#include "fuzz/fuzz_bodies.h"
#include "tokenizer/tokenizer_json.h"

namespace quire::fuzz {
namespace {

void check_ids(const Tokenizer& tokenizer, const Result<std::vector<TokenId>>& ids, bool plain) {
  if (!ids) {
    const bool gave_up = ids.error().code() == StatusCode::kInvalidArgument;
    QUIRE_CHECK(gave_up, "UTF-8 can be encoded, unless a regular expression gives up on it");
    return;
  }
  for (const TokenId id : *ids) {
    QUIRE_CHECK(id >= 0 && id < tokenizer.vocab_size(), "an id is inside the vocabulary");
    QUIRE_CHECK(!plain || !tokenizer.is_control(id), "plain text makes no control token");
    QUIRE_CHECK(tokenizer.is_control(id) || !tokenizer.is_special(id),
                "special tokens are control");
  }
  const auto text = tokenizer.decode(*ids, false);
  QUIRE_CHECK(text.has_value(), "ids that were made can be decoded");
  QUIRE_CHECK(find_invalid_utf8(*text) == std::string_view::npos, "decoded text is UTF-8");
}

}  // namespace

void tokenizer_json(std::string_view input) {
  // A template that writes all that the file says makes every marker of it a control token.
  TokenizerOptions options;
  if (input.size() % 2 == 1) options.template_texts.emplace_back(input);
  const auto tokenizer = parse_tokenizer_json(input, options);
  if (!tokenizer) {
    QUIRE_CHECK(!tokenizer.error().message().empty(), "a refusal says why");
    return;
  }
  const std::string text = replace_invalid_utf8(input.substr(0, 4096)) + " I'm 123 <s>\n\n a\u0301";
  check_ids(**tokenizer, (*tokenizer)->encode(text), true);
  check_ids(**tokenizer, (*tokenizer)->encode_special(text), false);
}

}  // namespace quire::fuzz
