#include "tokenizer/tokenizer_config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tokenizer/added_tokens.h"
#include "tokenizer/json_fields.h"
#include "tokenizer/tokenizer_class.h"

namespace quire {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxTokens = 65536;
constexpr const char* kWhere = "tokenizer_config.json";
constexpr std::array<const char*, 7> kNames = {
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};

bool same(const AddedToken& a, const AddedToken& b) {
  return a.content == b.content && a.special == b.special && a.normalized == b.normalized &&
         a.single_word == b.single_word && a.lstrip == b.lstrip && a.rstrip == b.rstrip;
}

AddedToken plain_special(const std::string& content) {
  AddedToken token;
  token.content = content;
  token.special = true;
  return token;
}

Result<AddedToken> read_token(const Json& json) {
  AddedToken token;
  QUIRE_ASSIGN(token.content, string_field(json, "content", kWhere));
  QUIRE_ASSIGN(token.special, bool_field(json, "special", false, kWhere));
  QUIRE_ASSIGN(token.normalized, bool_field(json, "normalized", !token.special, kWhere));
  QUIRE_ASSIGN(token.single_word, bool_field(json, "single_word", false, kWhere));
  QUIRE_ASSIGN(token.lstrip, bool_field(json, "lstrip", false, kWhere));
  QUIRE_ASSIGN(token.rstrip, bool_field(json, "rstrip", false, kWhere));
  return token;
}

Result<TokenId> id_of_key(const std::string& key) {
  std::int64_t id = -1;
  const char* const end = key.data() + key.size();
  const auto read = std::from_chars(key.data(), end, id);
  if (read.ec != std::errc() || read.ptr != end || id < 0 || id > kMaxTokenId) {
    return bad_model(std::string(kWhere) + ": a key of \"added_tokens_decoder\" is no token id");
  }
  return static_cast<TokenId>(id);
}

// A token by name: as text, or with its flags.
struct NamedToken {
  AddedToken token;
  bool has_flags = false;
};

class ConfigMerger {
 public:
  ConfigMerger(const TokenizerConfigFiles& files, const ModelVocabulary& vocabulary, Json* document)
      : files_(files), vocabulary_(vocabulary), document_(document) {}

  Status run();

 private:
  Status read_added(const Json* list);
  Status read_listed();
  Status read_older();
  Status read_named();
  Status read_name(const std::string& name, const Json& value);
  Status read_extra(const Json* extra);
  Status add_listed();
  Status add(AddedToken token);
  [[nodiscard]] const NamedToken* named(const std::string& name) const;
  void write_added();

  const TokenizerConfigFiles& files_;
  const ModelVocabulary& vocabulary_;
  Json* document_;
  std::vector<AddedToken> tokens_;  // the added tokens as they come to be
  std::unordered_map<std::string, std::size_t> place_of_;
  TokenId last_id_ = -1;
  std::map<TokenId, AddedToken> listed_;  // by the files
  std::map<std::string, AddedToken> listed_by_content_;
  std::vector<std::pair<std::string, NamedToken>> named_;
  std::vector<NamedToken> extra_;
};

const NamedToken* ConfigMerger::named(const std::string& name) const {
  for (const auto& [known, token] : named_) {
    if (known == name) return &token;
  }
  return nullptr;
}

// Adds a token or changes the flags of one; a text that the vocabulary has keeps its id.
Status ConfigMerger::add(AddedToken token) {
  if (token.content.empty()) return ok_status();
  const auto known = place_of_.find(token.content);
  if (known != place_of_.end()) {
    token.id = tokens_[known->second].id;
    tokens_[known->second] = std::move(token);
    return ok_status();
  }
  if (tokens_.size() >= kMaxTokens) return bad_model("there are too many added tokens");
  if (const auto id = vocabulary_.id_of(token.content)) {
    token.id = *id;
  } else {
    const auto size = static_cast<TokenId>(vocabulary_.size);
    token.id = last_id_ >= size ? last_id_ + 1 : size;
  }
  last_id_ = std::max(last_id_, token.id);
  place_of_.emplace(token.content, tokens_.size());
  tokens_.push_back(std::move(token));
  return ok_status();
}

// The entries of tokenizer.json.
Status ConfigMerger::read_added(const Json* list) {
  if (list == nullptr) return ok_status();
  QUIRE_TRY(check_array(*list, "added_tokens"));
  for (const Json& entry : *list) {
    QUIRE_ASSIGN(AddedToken token, read_token(entry));
    const Json* id = find_field(entry, "id");
    if (id == nullptr) return bad_model("added_tokens: an entry has no \"id\"");
    QUIRE_ASSIGN(token.id, token_id_of(*id, "added_tokens"));
    listed_[token.id] = token;
    listed_by_content_[token.content] = token;
  }
  return ok_status();
}

// The tokens that the files list by id. What tokenizer_config.json lists is all there is.
Status ConfigMerger::read_listed() {
  const Json* decoder = find_field(files_.tokenizer_config, "added_tokens_decoder");
  if (decoder == nullptr) return read_older();
  QUIRE_TRY(check_object(*decoder, "added_tokens_decoder"));
  for (const auto& [key, value] : decoder->items()) {
    QUIRE_ASSIGN(const TokenId id, id_of_key(key));
    QUIRE_ASSIGN(AddedToken token, read_token(value));
    listed_by_content_[token.content] = token;
    listed_[id] = std::move(token);
  }
  return ok_status();
}

Status ConfigMerger::read_older() {
  std::set<std::string> special;
  for (const auto& [name, token] : named_) special.insert(token.token.content);
  for (const NamedToken& token : extra_) special.insert(token.token.content);
  if (files_.added_tokens.is_object()) {
    for (const auto& [text, value] : files_.added_tokens.items()) {
      QUIRE_ASSIGN(const TokenId id, token_id_of(value, "added_tokens.json"));
      AddedToken token;
      token.content = text;
      token.special = special.contains(text);
      token.normalized = !token.special;
      listed_by_content_[text] = token;
      listed_[id] = std::move(token);
    }
  }
  return read_added(find_field(*document_, "added_tokens"));
}

Status ConfigMerger::read_name(const std::string& name, const Json& value) {
  NamedToken out;
  if (value.is_string()) {
    out.token = plain_special(value.get<std::string>());
  } else if (value.is_object()) {
    QUIRE_ASSIGN(out.token, read_token(value));
    out.has_flags = true;
  } else {
    return ok_status();
  }
  named_.emplace_back(name, std::move(out));
  return ok_status();
}

Status ConfigMerger::read_extra(const Json* extra) {
  if (extra == nullptr) return ok_status();
  if (extra->is_object()) {
    for (const auto& [name, value] : extra->items()) QUIRE_TRY(read_name(name, value));
    return ok_status();
  }
  QUIRE_TRY(check_array(*extra, "extra_special_tokens"));
  for (const Json& value : *extra) {
    NamedToken token;
    if (value.is_object()) {
      QUIRE_ASSIGN(token.token, read_token(value));
      token.has_flags = true;
    } else if (value.is_string()) {
      token.token = plain_special(value.get<std::string>());
    } else {
      return bad_model(std::string(kWhere) + ": an extra special token is neither text nor object");
    }
    extra_.push_back(std::move(token));
  }
  return ok_status();
}

// The tokens with names, of the files or else of the class.
Status ConfigMerger::read_named() {
  const Json& config = files_.tokenizer_config;
  const bool is_older = find_field(config, "added_tokens_decoder") == nullptr;
  const Json defaults = class_tokens(tokenizer_class_of(config, files_.config, *document_));
  for (const char* name : kNames) {
    const Json* value = is_older ? find_field(files_.special_tokens_map, name) : nullptr;
    const bool is_set = config.is_object() && config.contains(name);
    if (value == nullptr) value = find_field(config, name);
    // What is null in the file is not the class's either.
    if (value == nullptr && !is_set) value = find_field(defaults, name);
    if (value != nullptr) QUIRE_TRY(read_name(name, *value));
  }
  // Tokens with names of the model's own, such as image_token.
  if (config.is_object()) {
    for (const auto& [name, value] : config.items()) {
      const bool is_known = std::ranges::find(kNames, name) != kNames.end();
      if (!is_known && name.ends_with("_token") && value.is_string()) {
        QUIRE_TRY(read_name(name, value));
      }
    }
  }
  const Json* extra = find_field(config, "extra_special_tokens");
  QUIRE_TRY(read_extra(extra != nullptr ? extra : find_field(config, "additional_special_tokens")));
  return ok_status();
}

Status ConfigMerger::add_listed() {
  std::set<std::string> names;
  for (const auto& [name, token] : named_) names.insert(token.token.content);
  for (const auto& [id, token] : listed_) {
    AddedToken added = token;
    added.special |= names.contains(token.content);
    const auto known = place_of_.find(token.content);
    if (known != place_of_.end() && same(tokens_[known->second], added)) continue;
    QUIRE_TRY(add(std::move(added)));
  }
  for (const auto& [name, token] : named_) {
    if (!place_of_.contains(token.token.content)) QUIRE_TRY(add(token.token));
  }
  for (const NamedToken& token : extra_) {
    if (!place_of_.contains(token.token.content)) QUIRE_TRY(add(token.token));
  }
  return ok_status();
}

void ConfigMerger::write_added() {
  Json list = Json::array();
  for (const AddedToken& token : tokens_) {
    list.push_back({{"id", static_cast<std::uint32_t>(token.id)},
                    {"content", token.content},
                    {"special", token.special},
                    {"normalized", token.normalized},
                    {"single_word", token.single_word},
                    {"lstrip", token.lstrip},
                    {"rstrip", token.rstrip}});
  }
  (*document_)["added_tokens"] = std::move(list);
}

Status ConfigMerger::run() {
  QUIRE_TRY(check_object(*document_, "the document"));
  const std::string name = tokenizer_class_of(files_.tokenizer_config, files_.config, *document_);
  QUIRE_TRY(read_named());
  QUIRE_TRY(read_listed());
  // A named token has the flags under which it is listed.
  for (auto& [key, token] : named_) {
    const auto listed = listed_by_content_.find(token.token.content);
    const bool is_given = find_field(files_.tokenizer_config, key.c_str()) != nullptr ||
                          find_field(files_.special_tokens_map, key.c_str()) != nullptr;
    if (!is_given || listed == listed_by_content_.end()) continue;
    token = {listed->second, true};
  }
  const bool is_rebuilt = is_rebuilding_class(name);
  if (!is_rebuilt) {
    const std::map<TokenId, AddedToken> listed = std::exchange(listed_, {});
    QUIRE_TRY(read_added(find_field(*document_, "added_tokens")));
    for (auto& [id, token] : listed_) {
      last_id_ = std::max(last_id_, id);
      place_of_.emplace(token.content, tokens_.size());
      tokens_.push_back(token);
    }
    listed_ = listed;
  }
  QUIRE_TRY(add_listed());
  if (name == "Qwen2Tokenizer") {
    for (const auto& [key, token] : named_) QUIRE_TRY(add(plain_special(token.token.content)));
  }
  write_added();
  const NamedToken* unknown = named("unk_token");
  return rebuild_components(name,
                            files_.tokenizer_config,
                            unknown == nullptr ? std::string() : unknown->token.content,
                            document_);
}

}  // namespace

Status apply_tokenizer_config(const TokenizerConfigFiles& files,
                              const ModelVocabulary& vocabulary,
                              Json* document) {
  return ConfigMerger(files, vocabulary, document).run();
}

}  // namespace quire
