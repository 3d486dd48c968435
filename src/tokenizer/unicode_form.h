#pragma once

#include "tokenizer/trusted_text.h"

namespace quire {

// Unicode's normal forms: composed or decomposed, canonical or (K) of compatible characters too.
enum class UnicodeForm { kNfc, kNfd, kNfkc, kNfkd };

// A normal form of well-formed UTF-8, O(n log n) for any text. A character that was made from any
// untrusted one is untrusted.
TrustedText normalize_unicode(const TrustedText& source, UnicodeForm form);

}  // namespace quire
