#include "llm/end_ids.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quire {
namespace {

// What models call the end of a turn, of a message or of a text; python/quire_export/ends.py has
// the same list.
constexpr std::array<std::string_view, 19> kEndTexts = {"<EOT>",
                                                        "<end_of_turn>",
                                                        "<end_of_utterance>",
                                                        "<|END_OF_TURN_TOKEN|>",
                                                        "<|end_of_sentence|>",
                                                        "<|end_of_text|>",
                                                        "<|end_of_turn|>",
                                                        "<|endofturn|>",
                                                        "<|endoftext|>",
                                                        "<|end|>",
                                                        "<|eom_id|>",
                                                        "<|eom|>",
                                                        "<|eot_id|>",
                                                        "<|eot|>",
                                                        "<|im_end|>",
                                                        "<\uff5cend\u2581of\u2581sentence\uff5c>",
                                                        "[EOS]",
                                                        "[EOT]",
                                                        "_<EOT>"};
constexpr std::string_view kAnswer = "Aanswera";

class EndIds {
 public:
  void add(std::optional<TokenId> id, const std::string& reason) {
    if (!id) return;
    const auto known = std::ranges::find(list_, *id, &EndId::id);
    if (known == list_.end()) {
      list_.push_back({*id, reason});
    } else if (known->reason.find(reason) == std::string::npos) {
      known->reason += ", " + reason;
    }
  }
  std::vector<EndId> take() { return std::move(list_); }

 private:
  std::vector<EndId> list_;
};

// The control token that a template writes behind what an assistant says. One that ends no turn
// tells so by beginning the next.
std::optional<TokenId> behind_an_answer(const Tokenizer& tokenizer, const ChatFormat& chat) {
  ChatRenderOptions options = chat.options;
  options.add_generation_prompt = false;
  std::vector<ChatMessage> messages = {{"user", "Qquestionq", ""},
                                       {"assistant", std::string(kAnswer), ""}};
  for (const bool another_turn : {false, true}) {
    if (another_turn) messages.push_back({"user", "Qquestionq", ""});
    const auto spans = chat.chat_template.render(messages, options);
    if (!spans) continue;
    std::vector<TextSpan> behind;
    for (const TextSpan& span : *spans) {
      const std::size_t at = span.text.rfind(kAnswer);
      if (at != std::string::npos) {
        behind = {{span.text.substr(at + kAnswer.size()), span.trusted}};
      } else if (!behind.empty()) {
        behind.push_back(span);
      }
    }
    const auto ids = tokenizer.encode_spans(behind);
    if (!ids) continue;
    for (const TokenId id : *ids) {
      if (tokenizer.is_control(id)) return id;
      const std::string text = tokenizer.token_bytes(id);
      if (text.find_first_not_of(" \t\n") != std::string::npos) break;
    }
  }
  return std::nullopt;
}

}  // namespace

std::vector<EndId> find_end_ids(const ModelPackage& package,
                                const GenerationDefaults& defaults,
                                const Tokenizer* tokenizer,
                                const ChatFormat* chat) {
  EndIds ends;
  for (const TokenId id : package.eos_ids) {
    const auto source = package.eos_sources.find(id);
    ends.add(id, source == package.eos_sources.end() ? "model_info.json" : source->second);
  }
  for (const TokenId id : defaults.eos_ids) ends.add(id, "eos_token_id of generation_config.json");
  if (package.graph != "foreign" || tokenizer == nullptr) return ends.take();
  if (chat != nullptr && !chat->options.eos_token.empty()) {
    ends.add(tokenizer->id_of(chat->options.eos_token), "eos_token of tokenizer_config.json");
  }
  for (const std::string_view text : kEndTexts) {
    const auto id = tokenizer->id_of(text);
    if (id && tokenizer->is_control(*id)) ends.add(id, "control token " + std::string(text));
  }
  if (chat != nullptr) ends.add(behind_an_answer(*tokenizer, *chat), "chat template");
  return ends.take();
}

}  // namespace quire
