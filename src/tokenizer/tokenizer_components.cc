#include "tokenizer/tokenizer_components.h"

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/json_fields.h"

namespace quire {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxComponents = 64;

// How a message shows what a file says: cut short, and without line breaks.
std::string in_quotes(std::string_view text) {
  constexpr std::size_t kLongest = 160;
  std::string out = "\"";
  for (const char c : text.substr(0, kLongest))
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  return out + (text.size() > kLongest ? "..." : "\"");
}

Status not_supported(std::string_view part, std::string_view what) {
  return bad_model(std::string(part) + " " + in_quotes(what) +
                   " is not supported; supported is byte-level BPE (see docs/model_package.md)");
}

// The components of a part in order: itself, or the members of a Sequence. Sequences may be nested
// in the format; here one level is enough for every published file.
Result<std::vector<const Json*>> components(const Json& json,
                                            const char* members,
                                            std::string_view part) {
  QUIRE_TRY(check_object(json, part));
  QUIRE_ASSIGN(const std::string type, string_field(json, "type", part));
  if (type != "Sequence") return std::vector<const Json*>{&json};
  const Json* list = find_field(json, members);
  if (list == nullptr || !list->is_array() || list->size() > kMaxComponents) {
    return bad_model(std::string(part) + ": a Sequence needs an array \"" + members +
                     "\" of at most " + std::to_string(kMaxComponents) + " components");
  }
  std::vector<const Json*> out;
  for (const Json& member : *list) {
    QUIRE_TRY(check_object(member, part));
    out.push_back(&member);
  }
  return out;
}

Result<SplitStep> read_split(const Json& json, std::string_view part) {
  const Json* pattern = find_field(json, "pattern");
  const Json* regex = pattern == nullptr ? nullptr : find_field(*pattern, "Regex");
  if (regex == nullptr || !regex->is_string()) {
    return bad_model(std::string(part) + ": Split needs a \"pattern\" with a \"Regex\"");
  }
  const auto& source = regex->get_ref<const std::string&>();
  SplitStep step;
  step.pattern = find_split_pattern(source);
  if (!step.pattern) return not_supported("the split pattern", source);
  QUIRE_ASSIGN(const std::string behavior, string_field(json, "behavior", part));
  QUIRE_ASSIGN(const bool invert, bool_field(json, "invert", false, part));
  if (behavior == "Removed") {
    step.keep = invert ? SplitStep::Keep::kMatches : SplitStep::Keep::kUnmatched;
  } else if (behavior != "Isolated") {
    return not_supported("the split behavior", behavior);
  }
  return step;
}

Status read_byte_level(const Json& json, std::string_view part, PreTokenizerRules* rules) {
  QUIRE_ASSIGN(rules->add_prefix_space, bool_field(json, "add_prefix_space", true, part));
  QUIRE_ASSIGN(rules->split_by_gpt2, bool_field(json, "use_regex", true, part));
  return ok_status();
}

Status read_template_ids(const Json& special_tokens,
                         const std::string& name,
                         const std::vector<std::string>& tokens,
                         std::vector<TokenId>* out) {
  const Json* entry = find_field(special_tokens, name.c_str());
  const Json* ids = entry == nullptr ? nullptr : find_field(*entry, "ids");
  if (ids == nullptr || !ids->is_array() || ids->size() > kMaxComponents) {
    return bad_model("post_processor: the token " + in_quotes(name) +
                     " of the template has no ids");
  }
  for (const Json& value : *ids) {
    QUIRE_ASSIGN(const TokenId id, token_id_of(value, "post_processor"));
    const auto place = static_cast<std::size_t>(id);
    if (place >= tokens.size() || tokens[place].empty()) {
      return bad_model("post_processor: id " + std::to_string(id) + " is not in the vocabulary");
    }
    out->push_back(id);
  }
  return ok_status();
}

Status read_template(const Json& json, BpeTokenizerSpec* spec) {
  const Json* single = find_field(json, "single");
  if (single == nullptr || !single->is_array() || single->size() > kMaxComponents) {
    return bad_model("post_processor: TemplateProcessing needs an array \"single\"");
  }
  const Json empty = Json::object();
  const Json* special_tokens = find_field(json, "special_tokens");
  if (special_tokens == nullptr) special_tokens = &empty;
  bool after_text = false;
  for (const Json& piece : *single) {
    if (const Json* token = find_field(piece, "SpecialToken")) {
      QUIRE_ASSIGN(const std::string name, string_field(*token, "id", "post_processor"));
      auto* where = after_text ? &spec->suffix : &spec->prefix;
      QUIRE_TRY(read_template_ids(*special_tokens, name, spec->tokens, where));
    } else if (find_field(piece, "Sequence") != nullptr && !after_text) {
      after_text = true;
    } else {
      return bad_model("post_processor: the template must hold special tokens and the text once");
    }
  }
  return after_text ? ok_status() : bad_model("post_processor: the template leaves the text out");
}

}  // namespace

Status read_normalizer(const Json* json, BpeTokenizerSpec* spec) {
  if (json == nullptr) return ok_status();
  QUIRE_ASSIGN(const auto parts, components(*json, "normalizers", "normalizer"));
  for (const Json* part : parts) {
    QUIRE_ASSIGN(const std::string type, string_field(*part, "type", "normalizer"));
    if (type != "NFC") return not_supported("the normalizer", type);
    spec->normalize_nfc = true;
  }
  return ok_status();
}

Status read_pre_tokenizer(const Json* json, BpeTokenizerSpec* spec) {
  if (json == nullptr) return not_supported("the pre_tokenizer", "null");
  QUIRE_ASSIGN(const auto parts, components(*json, "pretokenizers", "pre_tokenizer"));
  PreTokenizerRules* rules = &spec->pre_tokenizer;
  bool is_complete = false;
  for (const Json* part : parts) {
    QUIRE_ASSIGN(const std::string type, string_field(*part, "type", "pre_tokenizer"));
    // ByteLevel turns the text into the byte alphabet; what came after it would see that.
    if (is_complete) return bad_model("pre_tokenizer: ByteLevel must be the last component");
    if (type == "ByteLevel") {
      QUIRE_TRY(read_byte_level(*part, "pre_tokenizer", rules));
      is_complete = true;
    } else if (type == "Digits") {
      QUIRE_ASSIGN(const bool single,
                   bool_field(*part, "individual_digits", false, "pre_tokenizer"));
      SplitStep step;
      step.join_digits = !single;
      rules->steps.push_back(step);
    } else if (type == "Split") {
      QUIRE_ASSIGN(const SplitStep step, read_split(*part, "pre_tokenizer"));
      rules->steps.push_back(step);
    } else {
      return not_supported("the pre_tokenizer", type);
    }
  }
  return is_complete ? ok_status() : bad_model("pre_tokenizer: ByteLevel is missing");
}

Status read_post_processor(const Json* json, BpeTokenizerSpec* spec) {
  if (json == nullptr) return ok_status();
  QUIRE_ASSIGN(const auto parts, components(*json, "processors", "post_processor"));
  bool has_template = false;
  for (const Json* part : parts) {
    QUIRE_ASSIGN(const std::string type, string_field(*part, "type", "post_processor"));
    if (type == "ByteLevel") continue;  // it moves offsets, which nobody asks for here
    if (type != "TemplateProcessing") return not_supported("the post_processor", type);
    if (has_template) return bad_model("post_processor: there are two templates");
    has_template = true;
    QUIRE_TRY(read_template(*part, spec));
  }
  return ok_status();
}

Status read_decoder(const Json* json) {
  if (json == nullptr) return not_supported("the decoder", "null");
  QUIRE_ASSIGN(const auto parts, components(*json, "decoders", "decoder"));
  for (const Json* part : parts) {
    QUIRE_ASSIGN(const std::string type, string_field(*part, "type", "decoder"));
    if (type != "ByteLevel") return not_supported("the decoder", type);
  }
  return parts.size() == 1 ? ok_status()
                           : bad_model("decoder: exactly one ByteLevel component is supported");
}

}  // namespace quire
