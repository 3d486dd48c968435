#include "openai/prompt_start.h"

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace quire::openai {
namespace {

// What of the spans comes behind `length` bytes of their text; nothing if the client's own text
// comes first there: it might belong to the word before.
std::optional<std::vector<TextSpan>> rest_of(std::vector<TextSpan> spans, std::size_t length) {
  std::size_t begin = 0;
  while (begin < spans.size() && spans[begin].text.size() <= length) {
    length -= spans[begin].text.size();
    ++begin;
  }
  if (begin == spans.size() || !spans[begin].trusted) return std::nullopt;
  spans[begin].text.erase(0, length);
  spans.erase(spans.begin(), spans.begin() + static_cast<std::ptrdiff_t>(begin));
  return spans;
}

}  // namespace

Result<EncodedConversation> encode_conversation(const PromptEncoder& encoder,
                                                const GenerateRequest& request,
                                                const PromptStart& start) {
  EncodedConversation encoded;
  if (encoder.tokenizer() == nullptr) {
    QUIRE_ASSIGN(encoded.ids, encoder.encode(request));  // which says what is wrong
    return encoded;
  }
  QUIRE_ASSIGN(std::vector<TextSpan> spans, encoder.render(request));
  for (const TextSpan& span : spans) encoded.text += span.text;
  if (!start.ids.empty() && encoded.text.starts_with(start.text)) {
    if (const auto rest = rest_of(spans, start.text.size())) {
      QUIRE_ASSIGN(const std::vector<TokenId> ids, encoder.tokenizer()->encode_spans(*rest));
      encoded.ids = start.ids;
      encoded.ids.insert(encoded.ids.end(), ids.begin(), ids.end());
      return encoded;
    }
  }
  QUIRE_ASSIGN(encoded.ids, encoder.tokenizer()->encode_spans(spans));
  return encoded;
}

PromptStart start_of_next(EncodedConversation prompt,
                          const std::string& answer,
                          std::vector<TokenId> answer_ids,
                          const Tokenizer& tokenizer) {
  // The template writes the mark of the end.
  while (!answer_ids.empty() && tokenizer.is_control(answer_ids.back())) answer_ids.pop_back();
  std::vector<TokenId> with_text = answer_ids;
  std::erase_if(with_text, [&](TokenId id) { return id >= tokenizer.vocab_size(); });  // padding
  const Result<std::string> text = tokenizer.decode(with_text, /*skip_special=*/false);
  if (!text || *text != answer) return {};
  PromptStart start{.text = std::move(prompt.text), .ids = std::move(prompt.ids)};
  start.text += answer;
  start.ids.insert(start.ids.end(), answer_ids.begin(), answer_ids.end());
  return start;
}

}  // namespace quire::openai
