#include "openai/token_api.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "openai/chat_rules.h"
#include "wire/sampling_json.h"

namespace quire::openai {
namespace {

using nlohmann::ordered_json;

constexpr std::array<std::string_view, 4> kTokenizeText = {
    "model", "prompt", "content", "add_special_tokens"};
constexpr std::array<std::string_view, 2> kDetokenize = {"model", "tokens"};

Status check_names(const ApiBody& body, std::span<const std::string_view> known) {
  for (const auto& [name, value] : body.json().items()) {
    if (std::ranges::find(known, std::string_view(name)) != known.end()) continue;
    return invalid_argument("the field \"" + name.substr(0, 60) + "\" is not known; leave it out");
  }
  return ok_status();
}

Status check_tokenizer(const PromptEncoder& encoder) {
  if (encoder.tokenizer() != nullptr) return ok_status();
  return invalid_argument("this package has no tokenizer");
}

Result<std::vector<TokenId>> ids_of_text(const ApiBody& body, const PromptEncoder& encoder) {
  QUIRE_TRY(check_names(body, kTokenizeText));
  QUIRE_TRY(check_tokenizer(encoder));
  QUIRE_ASSIGN(const JsonObject object, JsonObject::of(body.json(), "the body"));
  if (object.has("prompt") == object.has("content")) {
    return invalid_argument("the body needs one of prompt, content and messages");
  }
  QUIRE_ASSIGN(std::string text, object.string(object.has("prompt") ? "prompt" : "content"));
  bool special = true;
  if (object.has("add_special_tokens")) {
    QUIRE_ASSIGN(special, object.boolean("add_special_tokens"));
  }
  if (!special) return encoder.tokenizer()->encode(text);
  return encoder.encode({.prompt = std::move(text)});
}

Result<GenerateRequest> read_conversation(ApiBody body) {
  QUIRE_ASSIGN(ApiRequest request,
               read_api_request(wire::LineForm::kOpenAiChat, std::move(body), {}));
  return std::move(request.requests.front());
}

std::string dump(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace

std::span<const std::string_view> tokenize_text_field_names() { return kTokenizeText; }
std::span<const std::string_view> detokenize_field_names() { return kDetokenize; }

Result<std::string> tokenize(ApiBody body, const PromptEncoder& encoder, int max_model_len) {
  std::vector<TokenId> ids;
  if (body.json().contains("messages")) {
    QUIRE_ASSIGN(const GenerateRequest request, read_conversation(std::move(body)));
    QUIRE_ASSIGN(ids, encoder.encode(request));
  } else {
    QUIRE_ASSIGN(ids, ids_of_text(body, encoder));
  }
  return dump({{"count", ids.size()}, {"max_model_len", max_model_len}, {"tokens", ids}});
}

Result<std::string> detokenize(ApiBody body, const PromptEncoder& encoder, int) {
  QUIRE_TRY(check_names(body, kDetokenize));
  QUIRE_TRY(check_tokenizer(encoder));
  if (!body.json().contains("tokens")) return invalid_argument("the body needs tokens");
  QUIRE_TRY(check_count("tokens", body.json()["tokens"].size(), ApiLimits{}.ids));
  QUIRE_ASSIGN(const auto ids, wire::read_ids(body.json()["tokens"], "tokens"));
  auto text = encoder.tokenizer()->decode(ids, /*skip_special=*/false);
  if (!text) return invalid_argument("tokens cannot be: " + text.error().message());
  return dump({{"prompt", *text}, {"content", *text}});
}

Result<std::string> apply_template(ApiBody body, const PromptEncoder& encoder, int) {
  QUIRE_ASSIGN(const GenerateRequest request, read_conversation(std::move(body)));
  QUIRE_ASSIGN(const auto spans, encoder.render(request));
  std::string text;
  for (const TextSpan& span : spans) text += span.text;
  return dump({{"prompt", text}});
}

}  // namespace quire::openai
