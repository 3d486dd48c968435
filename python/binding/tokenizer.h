#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "quire/prompt_encoder.h"
#include "quire/tokenizer.h"
#include "tokenizer/stream_decoder.h"

namespace quire::python {

class PyStreamDecoder;

// The tokenizer and the chat template of a package, without its model. Immutable: any thread, and
// the interpreter's lock is not held while it works.
class PyTokenizer {
 public:
  explicit PyTokenizer(const std::string& path);  // a package, or a folder with tokenizer files
  explicit PyTokenizer(PromptEncoder encoder);

  std::vector<TokenId> encode(const std::string& text, bool special) const;
  std::string decode(const std::vector<TokenId>& ids, bool skip_special) const;
  // What a line of a prompt file (docs/guide.md) asks for: its ids, and its text as the template
  // writes it.
  std::vector<TokenId> encode_request(const std::string& json) const;
  std::string render_request(const std::string& json) const;
  const Tokenizer& tokenizer() const { return *encoder_.tokenizer(); }
  const PromptEncoder& encoder() const { return encoder_; }

 private:
  PromptEncoder encoder_;
};

// One text that comes token by token. Not for two threads at a time.
class PyStreamDecoder {
 public:
  PyStreamDecoder(std::shared_ptr<const PyTokenizer> tokenizer, bool skip_special)
      : tokenizer_(std::move(tokenizer)), decoder_(tokenizer_->tokenizer(), skip_special) {}
  std::string push(TokenId id);
  std::string flush() { return decoder_.flush(); }

 private:
  std::shared_ptr<const PyTokenizer> tokenizer_;  // the decoder uses it
  StreamDecoder decoder_;
};

}  // namespace quire::python
