#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/utf8.h"
#include "fuzz/fuzz_bodies.h"
#include "tokenizer/bpe_tokenizer.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/stream_decoder.h"

namespace quire::fuzz {
namespace {

// A token for each byte, then one special token.
BpeTokenizer byte_tokenizer() {
  BpeTokenizerSpec spec;
  for (int byte = 0; byte < 256; ++byte) {
    spec.tokens.push_back(alphabet_of_bytes(std::string(1, static_cast<char>(byte))));
    spec.rules.token_of_byte[static_cast<std::size_t>(byte)] = byte;
  }
  spec.tokens.emplace_back("<s>");
  AddedToken special;
  special.id = 256;
  special.content = "<s>";
  special.special = true;
  spec.added_tokens.push_back(special);
  return BpeTokenizer(std::move(spec));
}

}  // namespace

void stream_decoder(std::string_view input) {
  static const BpeTokenizer tokenizer = byte_tokenizer();
  std::vector<TokenId> ids;
  for (const char byte : input) {
    // The byte 7 stands for the special token, so that it comes between the bytes of a character.
    const auto value = static_cast<unsigned char>(byte);
    ids.push_back(value == 7 ? 256 : TokenId{value});
  }
  for (const bool skip_special : {false, true}) {
    StreamDecoder stream(tokenizer, skip_special);
    std::string text;
    for (const TokenId id : ids) {
      const auto piece = stream.push(id);
      QUIRE_CHECK(piece.has_value(), "every byte has a token");
      QUIRE_CHECK(find_invalid_utf8(*piece) == std::string_view::npos, "a piece is UTF-8");
      text += *piece;
    }
    text += stream.flush();
    const auto whole = tokenizer.decode(ids, skip_special);
    QUIRE_CHECK(whole.has_value() && text == *whole, "the pieces are the whole");
  }
}

}  // namespace quire::fuzz
