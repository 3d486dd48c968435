#include "tokenizer/tokenizer_components.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/base64.h"
#include "base/utf8.h"
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
  return bad_model(std::string(part) + " " + in_quotes(what) + " is not supported");
}

// Adds the components of a part in order: itself, or the members of a Sequence, which may hold
// further ones.
Status add_components(const Json& json,
                      const char* members,
                      std::string_view part,
                      std::vector<const Json*>* out) {
  QUIRE_TRY(check_object(json, part));
  QUIRE_ASSIGN(const std::string type, string_field(json, "type", part));
  if (out->size() >= kMaxComponents) {
    return bad_model(std::string(part) + " has more than " + std::to_string(kMaxComponents) +
                     " components");
  }
  if (type != "Sequence") {
    out->push_back(&json);
    return ok_status();
  }
  const Json* list = find_field(json, members);
  if (list == nullptr || !list->is_array() || list->size() > kMaxComponents) {
    return bad_model(std::string(part) + ": a Sequence needs an array \"" + members +
                     "\" of at most " + std::to_string(kMaxComponents) + " components");
  }
  // The reader of JSON bounds the depth.
  for (const Json& member : *list) QUIRE_TRY(add_components(member, members, part, out));
  return ok_status();
}

Result<std::vector<const Json*>> components(const Json& json,
                                            const char* members,
                                            std::string_view part) {
  std::vector<const Json*> out;
  QUIRE_TRY(add_components(json, members, part, &out));
  return out;
}

// A pattern is {"String": "as it stands"} or {"Regex": "..."}; exactly one of the two comes back.
struct PatternText {
  std::string literal;
  std::string regex;
};

Result<PatternText> read_pattern(const Json& json, std::string_view part) {
  const Json* pattern = find_field(json, "pattern");
  const Json* literal = pattern == nullptr ? nullptr : find_field(*pattern, "String");
  const Json* regex = pattern == nullptr ? nullptr : find_field(*pattern, "Regex");
  const Json* text = literal != nullptr ? literal : regex;
  if (text == nullptr || !text->is_string() || text->get_ref<const std::string&>().empty()) {
    return bad_model(std::string(part) + ": a \"pattern\" needs a \"String\" or a \"Regex\"");
  }
  const auto& source = text->get_ref<const std::string&>();
  return literal != nullptr ? PatternText{source, {}} : PatternText{{}, source};
}

Status read_behavior(const Json& json, std::string_view part, SplitStep* step) {
  QUIRE_ASSIGN(const std::string name, string_field(json, "behavior", part));
  using Behavior = SplitStep::Behavior;
  const std::array<std::pair<std::string_view, Behavior>, 5> behaviors = {
      {{"Isolated", Behavior::kIsolated},
       {"Removed", Behavior::kRemoved},
       {"MergedWithPrevious", Behavior::kMergedWithPrevious},
       {"MergedWithNext", Behavior::kMergedWithNext},
       {"Contiguous", Behavior::kContiguous}}};
  for (const auto& [known, behavior] : behaviors) {
    if (name != known) continue;
    step->behavior = behavior;
    return ok_status();
  }
  return not_supported("the split behavior", name);
}

Result<SplitStep> read_split(const Json& json, std::string_view part) {
  QUIRE_ASSIGN(const PatternText pattern, read_pattern(json, part));
  SplitStep step;
  QUIRE_TRY(read_behavior(json, part, &step));
  QUIRE_ASSIGN(step.invert, bool_field(json, "invert", false, part));
  if (!pattern.literal.empty()) {
    step.kind = SplitStep::Kind::kLiteral;
    step.literal = pattern.literal;
    return step;
  }
  step.pattern = find_split_pattern(pattern.regex);
  step.kind = step.pattern ? SplitStep::Kind::kPattern : SplitStep::Kind::kRegex;
  if (step.pattern) return step;
  QUIRE_ASSIGN(step.regex, Regex::compile(pattern.regex));
  return step;
}

Result<SplitStep> read_byte_level(const Json& json, std::string_view part) {
  SplitStep step{.kind = SplitStep::Kind::kByteLevel};
  QUIRE_ASSIGN(step.add_prefix_space, bool_field(json, "add_prefix_space", true, part));
  QUIRE_ASSIGN(step.split_by_gpt2, bool_field(json, "use_regex", true, part));
  return step;
}

// The mark that stands for a space, and where it is put before a text. Older files have
// add_prefix_space for the latter.
Result<SplitStep> read_metaspace(const Json& json, std::string_view part) {
  SplitStep step{.kind = SplitStep::Kind::kMetaspace};
  QUIRE_ASSIGN(step.literal, string_field(json, "replacement", part));
  if (step.literal.empty() || decode_utf8(step.literal, 0).length != step.literal.size()) {
    return bad_model(std::string(part) + ": \"replacement\" must be one character");
  }
  QUIRE_ASSIGN(step.split, bool_field(json, "split", true, part));
  QUIRE_ASSIGN(const bool prefix, bool_field(json, "add_prefix_space", true, part));
  using Prefix = SplitStep::Prefix;
  step.prefix = prefix ? Prefix::kAlways : Prefix::kNever;
  if (find_field(json, "prepend_scheme") == nullptr) return step;
  QUIRE_ASSIGN(const std::string scheme, string_field(json, "prepend_scheme", part));
  if (scheme != "always" && scheme != "first" && scheme != "never") {
    return not_supported("the prepend_scheme", scheme);
  }
  step.prefix = scheme == "always"  ? Prefix::kAlways
                : scheme == "first" ? Prefix::kFirst
                                    : Prefix::kNever;
  return step;
}

Result<SplitStep> read_step(const Json& json, std::string_view part) {
  QUIRE_ASSIGN(const std::string type, string_field(json, "type", part));
  if (type == "ByteLevel") return read_byte_level(json, part);
  if (type == "Metaspace") return read_metaspace(json, part);
  if (type == "Split") return read_split(json, part);
  SplitStep step;
  if (type == "Digits") {
    step.kind = SplitStep::Kind::kDigits;
    QUIRE_ASSIGN(const bool single, bool_field(json, "individual_digits", false, part));
    step.join_digits = !single;
    return step;
  }
  if (type == "WhitespaceSplit") {
    step.kind = SplitStep::Kind::kWhitespace;
    step.behavior = SplitStep::Behavior::kRemoved;
    return step;
  }
  if (type == "Whitespace") {  // words and runs of signs; nothing else is kept
    step.kind = SplitStep::Kind::kWords;
    step.behavior = SplitStep::Behavior::kRemoved;
    step.invert = true;
    return step;
  }
  if (type == "Punctuation") {
    step.kind = SplitStep::Kind::kPunctuation;
    if (find_field(json, "behavior") != nullptr) QUIRE_TRY(read_behavior(json, part, &step));
    return step;
  }
  return not_supported("the pre_tokenizer", type);
}

Result<NormalizerStep> read_normalizer_step(const Json& json, std::string_view part) {
  QUIRE_ASSIGN(const std::string type, string_field(json, "type", part));
  NormalizerStep step;
  const std::array<std::pair<std::string_view, UnicodeForm>, 4> forms = {
      {{"NFC", UnicodeForm::kNfc},
       {"NFD", UnicodeForm::kNfd},
       {"NFKC", UnicodeForm::kNfkc},
       {"NFKD", UnicodeForm::kNfkd}}};
  for (const auto& [name, form] : forms) {
    if (type != name) continue;
    step.form = form;
    return step;
  }
  if (type == "Prepend") {
    step.kind = NormalizerStep::Kind::kPrepend;
    QUIRE_ASSIGN(step.to, string_field(json, "prepend", part));
    return step;
  }
  if (type == "Strip") {
    step.kind = NormalizerStep::Kind::kStrip;
    QUIRE_ASSIGN(step.strip_left, bool_field(json, "strip_left", true, part));
    QUIRE_ASSIGN(step.strip_right, bool_field(json, "strip_right", true, part));
    return step;
  }
  if (type == "Precompiled") {
    step.kind = NormalizerStep::Kind::kCharsmap;
    QUIRE_ASSIGN(const std::string text, string_field(json, "precompiled_charsmap", part));
    const auto bytes = decode_base64(text);
    if (!bytes) return bad_model(std::string(part) + ": \"precompiled_charsmap\" is no base64");
    QUIRE_ASSIGN(Charsmap map, Charsmap::parse(*bytes));
    step.charsmap = std::make_shared<const Charsmap>(std::move(map));
    return step;
  }
  if (type != "Replace") return not_supported("the normalizer", type);
  step.kind = NormalizerStep::Kind::kReplace;
  QUIRE_ASSIGN(const PatternText pattern, read_pattern(json, part));
  step.from = pattern.literal;
  QUIRE_ASSIGN(step.to, string_field(json, "content", part));
  if (!pattern.regex.empty()) {
    QUIRE_ASSIGN(step.regex, Regex::compile(pattern.regex));
  }
  return step;
}

// BertProcessing and RobertaProcessing: one token before the text and one after it.
Status read_pair(const Json& json, BpeTokenizerSpec* spec) {
  for (const char* name : {"cls", "sep"}) {
    const Json* entry = find_field(json, name);
    if (entry == nullptr || !entry->is_array() || entry->size() != 2) {
      return bad_model(std::string("post_processor: \"") + name + "\" must be a token and its id");
    }
    QUIRE_ASSIGN(const TokenId id, token_id_of((*entry)[1], "post_processor"));
    const auto place = static_cast<std::size_t>(id);
    if (place >= spec->tokens.size() || spec->tokens[place].empty()) {
      return bad_model("post_processor: id " + std::to_string(id) + " is not in the vocabulary");
    }
    (name[0] == 'c' ? spec->prefix : spec->suffix).push_back(id);
  }
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

// The steps of a decoder that change texts.
Status read_decoder_step(const Json& json,
                         const std::string& type,
                         bool is_fused,
                         DecodeRules* rules) {
  // What comes before ByteFallback it can see; after it bytes have become characters.
  const bool may_replace = !rules->byte_fallback && !is_fused;
  if (type == "Replace" && may_replace) {
    QUIRE_ASSIGN(const PatternText pattern, read_pattern(json, "decoder"));
    QUIRE_ASSIGN(const std::string content, string_field(json, "content", "decoder"));
    if (!pattern.literal.empty()) {
      rules->replacements.emplace_back(pattern.literal, content);
      return ok_status();
    }
  }
  if (type == "Metaspace" && may_replace) {
    QUIRE_ASSIGN(const SplitStep step, read_metaspace(json, "decoder"));
    rules->replacements.emplace_back(step.literal, " ");
    if (step.prefix != SplitStep::Prefix::kNever) rules->drop_in_first = step.literal;
    return ok_status();
  }
  if (type == "Strip" && is_fused) {
    QUIRE_ASSIGN(const std::string content, string_field(json, "content", "decoder"));
    const Json* start = find_field(json, "start");
    const Json* stop = find_field(json, "stop");
    const auto is = [](const Json* value, int low, int high) {
      return value != nullptr && value->is_number_integer() && *value >= low && *value <= high;
    };
    if (content == " " && is(start, 0, 1) && is(stop, 0, 0)) {
      rules->strip_left = start->get<int>() == 1;
      return ok_status();
    }
  }
  return not_supported("the decoder", type);
}

// Replacements that make tokens longer and longer would fill the memory when they are applied to a
// whole vocabulary.
Status check_growth(const DecodeRules& rules) {
  constexpr std::size_t kMost = 4;
  std::size_t factor = 1;
  for (const auto& [from, to] : rules.replacements) {
    factor *= std::max<std::size_t>(1, (to.size() + from.size() - 1) / from.size());
    if (factor > kMost) {
      return bad_model("decoder: its replacements make tokens more than " + std::to_string(kMost) +
                       " times as long, which is not supported");
    }
  }
  return ok_status();
}

}  // namespace

Status read_normalizer(const Json* json, BpeTokenizerSpec* spec) {
  if (json == nullptr) return ok_status();
  QUIRE_ASSIGN(const auto parts, components(*json, "normalizers", "normalizer"));
  for (const Json* part : parts) {
    QUIRE_ASSIGN(NormalizerStep step, read_normalizer_step(*part, "normalizer"));
    spec->normalizer.push_back(std::move(step));
  }
  return ok_status();
}

Status read_pre_tokenizer(const Json* json, PreTokenizerRules* rules) {
  if (json == nullptr) return ok_status();
  QUIRE_ASSIGN(const auto parts, components(*json, "pretokenizers", "pre_tokenizer"));
  for (const Json* part : parts) {
    QUIRE_ASSIGN(SplitStep step, read_step(*part, "pre_tokenizer"));
    // After ByteLevel the text is in the byte alphabet; a second one would spell it twice.
    if (rules->is_byte_level() &&
        (step.kind == SplitStep::Kind::kByteLevel || step.kind == SplitStep::Kind::kMetaspace)) {
      return bad_model("pre_tokenizer: ByteLevel must be the last of its kind");
    }
    rules->steps.push_back(std::move(step));
  }
  return ok_status();
}

Status read_post_processor(const Json* json, BpeTokenizerSpec* spec) {
  if (json == nullptr) return ok_status();
  QUIRE_ASSIGN(const auto parts, components(*json, "processors", "post_processor"));
  bool has_template = false;
  for (const Json* part : parts) {
    QUIRE_ASSIGN(const std::string type, string_field(*part, "type", "post_processor"));
    if (type == "ByteLevel") continue;  // it moves offsets, which nobody asks for here
    const bool is_pair = type == "BertProcessing" || type == "RobertaProcessing";
    if (type != "TemplateProcessing" && !is_pair) return not_supported("the post_processor", type);
    if (has_template) return bad_model("post_processor: there are two templates");
    has_template = true;
    QUIRE_TRY(is_pair ? read_pair(*part, spec) : read_template(*part, spec));
  }
  return ok_status();
}

Status read_decoder(const Json* json, DecodeRules* rules) {
  if (json == nullptr) return not_supported("the decoder", "null");
  QUIRE_ASSIGN(const auto parts, components(*json, "decoders", "decoder"));
  bool is_fused = false;
  for (const Json* part : parts) {
    QUIRE_ASSIGN(const std::string type, string_field(*part, "type", "decoder"));
    if (type != "Strip" && is_fused) {
      return bad_model("decoder: " + type.substr(0, 32) + " after Fuse is not supported");
    }
    if (type == "ByteLevel" && parts.size() == 1) {
      rules->byte_level = true;
    } else if (type == "Fuse") {
      is_fused = true;
    } else if (type == "ByteFallback") {
      rules->byte_fallback = true;
    } else {
      QUIRE_TRY(read_decoder_step(*part, type, is_fused, rules));
    }
  }
  return check_growth(*rules);
}

bool is_unknown_text(const BpeTokenizerSpec& spec, const TokenizerOptions& options) {
  const TokenId unknown = spec.rules.unknown;
  if (unknown == kNoToken) return false;
  for (const auto* ids : {&spec.prefix, &spec.suffix}) {
    if (std::ranges::find(*ids, unknown) != ids->end()) return false;
  }
  return is_only_unknown(options, unknown, spec.tokens[static_cast<std::size_t>(unknown)]);
}

}  // namespace quire
