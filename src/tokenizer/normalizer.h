#pragma once

#include <memory>
#include <string>
#include <vector>

#include "quire/result.h"
#include "tokenizer/charsmap.h"
#include "tokenizer/regex.h"
#include "tokenizer/text_work.h"
#include "tokenizer/trusted_text.h"
#include "tokenizer/unicode_form.h"

namespace quire {

// One change of a text before it is split.
struct NormalizerStep {
  enum class Kind {
    kUnicode,   // form
    kPrepend,   // `to` is put before a text that is not empty
    kReplace,   // `to` stands in for each `from`, or for each match of `regex` where there is one
    kStrip,     // whitespace goes from the left, the right or both ends
    kCharsmap,  // charsmap
  };
  Kind kind = Kind::kUnicode;
  UnicodeForm form = UnicodeForm::kNfc;
  std::string from;
  std::string to;
  std::shared_ptr<const Regex> regex;
  std::shared_ptr<const Charsmap> charsmap;
  bool strip_left = false;
  bool strip_right = false;
};

// Applies the steps in order to well-formed UTF-8. What is made from text that is not trusted is
// not trusted. Fails with kInvalidArgument where a regex gives up on the text, or the text grows
// beyond all measure.
Result<TrustedText> normalize(const std::vector<NormalizerStep>& steps,
                              TrustedText text,
                              TextWork* work);

}  // namespace quire
