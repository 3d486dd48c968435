#include "tokenizer/normalizer.h"

#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/unicode_class.h"

namespace quire {
namespace {

Result<TrustedText> prepend(const std::string& prefix, const TrustedText& text, TextWork* work) {
  TrustedText out;
  if (text.text.empty()) return out;
  QUIRE_TRY(work->take_normalized(prefix.size()));
  out.append(prefix, text.is_trusted(0, 1));
  out.append_part(text, 0, text.text.size());
  return out;
}

Result<TrustedText> replace_all(const NormalizerStep& step,
                                const TrustedText& text,
                                TextWork* work) {
  TrustedText out;
  std::size_t done = 0;
  for (std::size_t at = text.text.find(step.from); at != std::string::npos;
       at = text.text.find(step.from, done)) {
    out.append_part(text, done, at);
    done = at + step.from.size();
    QUIRE_TRY(work->take_normalized(step.to.size()));
    out.append(step.to, text.is_trusted(at, done));
  }
  if (done == 0) return text;
  out.append_part(text, done, text.text.size());
  return out;
}

Result<TrustedText> replace_matches(const NormalizerStep& step,
                                    const TrustedText& text,
                                    TextWork* work) {
  TrustedText out;
  std::size_t done = 0;
  RegexSearch search(*step.regex, text.text, work);
  while (true) {
    QUIRE_ASSIGN(const std::optional<ByteRange> match, search.next());
    if (!match) break;
    out.append_part(text, done, match->begin);
    done = match->end;
    QUIRE_TRY(work->take_normalized(step.to.size()));
    out.append(step.to, text.is_trusted(match->begin, done));
  }
  out.append_part(text, done, text.text.size());
  return out;
}

TrustedText strip(const NormalizerStep& step, const TrustedText& text) {
  const std::string_view all = text.text;
  std::size_t begin = 0;
  std::size_t end = all.size();
  while (step.strip_left && begin < end && classed_char_at(all, begin).is(kClassSpace)) {
    begin += classed_char_at(all, begin).length;
  }
  while (step.strip_right && begin < end && classed_char_before(all, end).is(kClassSpace)) {
    end -= classed_char_before(all, end).length;
  }
  return text.slice(begin, end);
}

}  // namespace

Result<TrustedText> normalize(const std::vector<NormalizerStep>& steps,
                              TrustedText text,
                              TextWork* work) {
  for (const NormalizerStep& step : steps) {
    QUIRE_TRY(work->take_normalized(text.text.size()));
    switch (step.kind) {
      case NormalizerStep::Kind::kUnicode:
        text = normalize_unicode(text, step.form);
        break;
      case NormalizerStep::Kind::kPrepend: {
        QUIRE_ASSIGN(text, prepend(step.to, text, work));
        break;
      }
      case NormalizerStep::Kind::kReplace:
        if (step.regex) {
          QUIRE_ASSIGN(text, replace_matches(step, text, work));
        } else {
          QUIRE_ASSIGN(text, replace_all(step, text, work));
        }
        break;
      case NormalizerStep::Kind::kStrip:
        text = strip(step, text);
        break;
      case NormalizerStep::Kind::kCharsmap: {
        QUIRE_ASSIGN(text, step.charsmap->normalize(text, work));
        break;
      }
    }
  }
  return text;
}

}  // namespace quire
