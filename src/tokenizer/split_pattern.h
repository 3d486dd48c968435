#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace quire {

// The published split patterns of byte-level tokenizers, each matched by hand-written code in
// linear time and without recursion. A general regex engine would need match limits to be safe on
// hostile text, and would be slower.
enum class SplitPattern {
  kGpt2,
  kLlama3,           // cl100k as Hugging Face writes it: numbers of up to three digits
  kCl100k,           // the possessive form of OpenAI
  kQwen2,            // kLlama3 with single digits
  kQwen35,           // kQwen2 with marks in words
  kNanochat,         // kCl100k with pairs of digits
  kO200k,            // GPT-4o: words split where lower case is followed by upper case
  kTekken,           // Mistral: kO200k with single digits and without contractions
  kDeepSeekNumbers,  // DeepSeek V2 and V3 split in three passes
  kDeepSeekCjk,
  kDeepSeekWords,
  kDeepSeekCoderLines,  // DeepSeek Coder in four
  kDeepSeekCoderLetters,
  kDeepSeekCoderPunctuation,
  kDeepSeekCoderCjk,
};

// The pattern whose regular expression is written exactly so (a raw line break counts as its
// escape); nothing for any other.
std::optional<SplitPattern> find_split_pattern(std::string_view regex);

// Length of the match that begins at text[at], 0 if there is none. The text must be UTF-8 and `at`
// a boundary inside it.
std::size_t match_split_pattern(SplitPattern pattern, std::string_view text, std::size_t at);

}  // namespace quire
