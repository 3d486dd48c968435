#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "quire/result.h"
#include "tokenizer/text_work.h"
#include "tokenizer/trusted_text.h"

namespace quire {

// A regular expression of a tokenizer.json that none of the hand-written patterns is: PCRE2 with
// Unicode classes and limits on its work. Immutable: shared by all threads.
class Regex {
 public:
  // Fails with kBadModel when PCRE2 does not understand it, or would understand it otherwise than
  // the engine it was written for.
  static Result<std::shared_ptr<const Regex>> compile(std::string_view pattern);

  struct Code;
  explicit Regex(std::unique_ptr<Code> code);  // for compile()
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;
  ~Regex();

 private:
  friend class RegexSearch;
  std::unique_ptr<Code> code_;
};

// Finds the matches of a regex in a text of well-formed UTF-8, left to right, none inside another;
// an empty one only where no match has just ended. The regex, the text and the work must outlive
// it.
class RegexSearch {
 public:
  // Without `work` the text has its own.
  RegexSearch(const Regex& regex, std::string_view text, TextWork* work = nullptr);
  RegexSearch(const RegexSearch&) = delete;
  RegexSearch& operator=(const RegexSearch&) = delete;
  ~RegexSearch();

  // The next match; nothing after the last. Fails with kInvalidArgument when it takes too much
  // work.
  Result<std::optional<ByteRange>> next();

 private:
  // What the library answers at at_, with more and more steps until those of the text are used up.
  int match();

  struct State;
  const Regex& regex_;
  TextWork own_work_;
  TextWork* work_;
  std::string stand_in_;  // of the text, where that has characters PCRE2 does not know
  std::string_view text_;
  std::unique_ptr<State> state_;
  std::size_t at_ = 0;
  std::optional<std::size_t> last_end_;
};

}  // namespace quire
