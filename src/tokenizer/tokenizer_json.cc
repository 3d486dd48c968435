#include "tokenizer/tokenizer_json.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "tokenizer/bpe_tokenizer.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/json_fields.h"
#include "tokenizer/model_text.h"
#include "tokenizer/token_index.h"
#include "tokenizer/tokenizer_components.h"
#include "tokenizer/tokenizer_config.h"

namespace quire {
namespace {

using Json = nlohmann::json;

// The long parts of the model, where they were read as text and not as a tree.
struct LongParts {
  std::vector<std::string> tokens;  // by id
  std::string_view merges;
};

constexpr std::uintmax_t kMaxFileBytes = std::uintmax_t{64} << 20U;
constexpr std::uintmax_t kMaxConfigBytes = std::uintmax_t{16} << 20U;
constexpr std::size_t kMaxTokenBytes = 4096;
constexpr std::size_t kMaxAddedTokens = 65536;

// Puts a token at its id; the same text may be given again, as added tokens often are.
Status place_token(TokenId id, const std::string& text, std::vector<std::string>* tokens) {
  if (text.empty() || text.size() > kMaxTokenBytes) {
    return bad_model("token " + std::to_string(id) + " must have 1 to " +
                     std::to_string(kMaxTokenBytes) + " bytes");
  }
  const auto place = static_cast<std::size_t>(id);
  if (place >= tokens->size()) tokens->resize(place + 1);
  std::string& slot = (*tokens)[place];
  if (!slot.empty() && slot != text) {
    return bad_model("two tokens have the id " + std::to_string(id));
  }
  slot = text;
  return ok_status();
}

Status read_vocab(const Json& model, BpeTokenizerSpec* spec) {
  const Json* vocab = find_field(model, "vocab");
  if (vocab == nullptr || !vocab->is_object()) {
    return bad_model("model: \"vocab\" must be an object of tokens and ids");
  }
  for (const auto& [text, value] : vocab->items()) {
    QUIRE_ASSIGN(const TokenId id, token_id_of(value, "vocab"));
    const auto place = static_cast<std::size_t>(id);
    if (place < spec->tokens.size() && !spec->tokens[place].empty()) {
      return bad_model("two tokens have the id " + std::to_string(id));
    }
    QUIRE_TRY(place_token(id, text, &spec->tokens));
  }
  return ok_status();
}

Result<AddedToken> read_added_token(const Json& json) {
  constexpr std::string_view kWhere = "added_tokens";
  QUIRE_TRY(check_object(json, "an entry of added_tokens"));
  const Json* id = find_field(json, "id");
  if (id == nullptr) return bad_model("added_tokens: an entry has no \"id\"");
  AddedToken token;
  QUIRE_ASSIGN(token.id, token_id_of(*id, kWhere));
  QUIRE_ASSIGN(token.content, string_field(json, "content", kWhere));
  QUIRE_ASSIGN(token.special, bool_field(json, "special", false, kWhere));
  QUIRE_ASSIGN(token.normalized, bool_field(json, "normalized", !token.special, kWhere));
  QUIRE_ASSIGN(token.single_word, bool_field(json, "single_word", false, kWhere));
  QUIRE_ASSIGN(token.lstrip, bool_field(json, "lstrip", false, kWhere));
  QUIRE_ASSIGN(token.rstrip, bool_field(json, "rstrip", false, kWhere));
  return token;
}

Status read_added_tokens(const Json* json, BpeTokenizerSpec* spec) {
  if (json == nullptr) return ok_status();
  QUIRE_TRY(check_array(*json, "added_tokens"));
  if (json->size() > kMaxAddedTokens) {
    return bad_model("added_tokens has more than " + std::to_string(kMaxAddedTokens) + " entries");
  }
  for (const Json& entry : *json) {
    QUIRE_ASSIGN(AddedToken token, read_added_token(entry));
    QUIRE_TRY(place_token(token.id, token.content, &spec->tokens));
    spec->added_tokens.push_back(std::move(token));
  }
  return ok_status();
}

Result<TokenIndex> ids_by_text(const std::vector<std::string>& tokens) {
  TokenIndex ids(tokens);
  if (const auto& same = ids.duplicate()) {
    return bad_model("the ids " + std::to_string(same->first) + " and " +
                     std::to_string(same->second) + " stand for the same token");
  }
  return ids;
}

// A merge is written "a b" or ["a", "b"]; the second form came when tokens got spaces in them.
Result<std::pair<std::string_view, std::string_view>> merge_sides(const Json& json) {
  if (json.is_string()) {
    const std::string_view text = json.get_ref<const std::string&>();
    const std::size_t space = text.find(' ');
    if (space != std::string_view::npos && text.find(' ', space + 1) == std::string_view::npos) {
      return std::pair(text.substr(0, space), text.substr(space + 1));
    }
  } else if (json.is_array() && json.size() == 2 && json[0].is_string() && json[1].is_string()) {
    return std::pair<std::string_view, std::string_view>(json[0].get_ref<const std::string&>(),
                                                         json[1].get_ref<const std::string&>());
  }
  return bad_model("an entry is neither \"a b\" nor [\"a\", \"b\"]");
}

// Reads merges into the rules, in the order of their ranks.
class MergeList {
 public:
  MergeList(const TokenIndex& ids, const std::vector<bool>& control, BpeRules* rules)
      : ids_(ids), control_(control), rules_(rules) {}

  // Takes a merge; false where it or one before it has a side, or makes something, that is not in
  // the vocabulary. Merges are looked up some at a time.
  bool add(std::string_view left, std::string_view right) {
    texts_[3 * size_].assign(left);
    texts_[3 * size_ + 1].assign(right);
    std::string& merged = texts_[3 * size_ + 2];
    merged.assign(left);
    merged += right;
    return ++size_ < kBlock || finish();
  }

  // Looks up what is left.
  bool finish() {
    std::array<std::string_view, 3 * kBlock> texts = {};
    std::array<TokenId, 3 * kBlock> ids = {};
    const std::size_t count = 3 * std::exchange(size_, 0);
    std::copy(texts_.begin(), texts_.begin() + static_cast<std::ptrdiff_t>(count), texts.begin());
    ids_.find_all(std::span(texts).first(count), std::span(ids).first(count));
    for (std::size_t i = 0; i < count; i += 3) {
      const BpeMerge merge{ids[i], ids[i + 1], ids[i + 2]};
      if (merge.left == kNoToken || merge.right == kNoToken || merge.merged == kNoToken) {
        return false;
      }
      // Text must not grow into a control token, even when the file has merges for it.
      if (!control_[static_cast<std::size_t>(merge.merged)]) rules_->merges.push_back(merge);
    }
    return true;
  }

 private:
  static constexpr std::size_t kBlock = 32;

  const TokenIndex& ids_;
  const std::vector<bool>& control_;
  BpeRules* rules_;
  std::array<std::string, 3 * kBlock> texts_;  // of each merge left, right and both
  std::size_t size_ = 0;
};

Status read_merges_text(std::string_view text, MergeList* list) {
  MergeTextReader reader(text);
  bool is_known = true;
  while (is_known) {
    const auto sides = reader.next();
    if (!sides) break;
    is_known = list->add(sides->first, sides->second);
  }
  if (!is_known || !list->finish()) return bad_model("a merge has unknown tokens");
  return reader.is_whole() ? ok_status() : bad_model("the merges are no array of pairs");
}

Status read_merges(const Json& model, MergeList* list) {
  const Json* merges = find_field(model, "merges");
  if (merges == nullptr || !merges->is_array()) {
    return bad_model("model: \"merges\" must be an array");
  }
  std::size_t rank = 0;
  for (const Json& entry : *merges) {
    const std::string where = "merges[" + std::to_string(rank++) + "]";
    const auto sides = merge_sides(entry);
    if (!sides) return sides.error().with_context(where);
    if (list->add(sides->first, sides->second) && list->finish()) continue;
    return bad_model(where + ": a merge uses or makes a token that is not in the vocabulary");
  }
  return ok_status();
}

// The text of the token that is one byte: in the byte alphabet, or as <0x0A> beside characters.
std::string byte_token(std::size_t byte, bool by_characters) {
  if (!by_characters) return alphabet_of_bytes(std::string(1, static_cast<char>(byte)));
  constexpr std::string_view kHex = "0123456789ABCDEF";
  return std::string("<0x") + kHex[byte / 16] + kHex[byte % 16] + ">";
}

Status read_bytes(const TokenIndex& ids, const std::vector<bool>& control, BpeRules* rules) {
  for (std::size_t byte = 0; byte < rules->token_of_byte.size(); ++byte) {
    const auto found = ids.find(byte_token(byte, rules->by_characters));
    rules->token_of_byte[byte] = found.value_or(kNoToken);
    if (found && control[static_cast<std::size_t>(*found)]) {
      return bad_model("the control token " + std::to_string(*found) +
                       " is a single byte, so any text could spell it");
    }
  }
  return ok_status();
}

// Tokens of one character; a control token is none that a text could be spelled with.
void read_characters(const std::vector<std::string>& tokens,
                     const std::vector<bool>& control,
                     BpeRules* rules) {
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (tokens[id].empty() || tokens[id].size() > 4 || control[id]) continue;
    const DecodedCodePoint first = decode_utf8(tokens[id], 0);
    if (first.length != tokens[id].size()) continue;
    rules->token_of_character.emplace(first.code_point, static_cast<TokenId>(id));
  }
}

// Options of the BPE model that published byte-level files leave at their neutral values.
Status check_model_options(const Json& model) {
  if (find_field(model, "type") != nullptr) {  // the oldest files have none
    QUIRE_ASSIGN(const std::string type, string_field(model, "type", "model"));
    if (type != "BPE") {
      return bad_model("the model type \"" + type.substr(0, 64) +
                       "\" is not supported; BPE and Unigram are");
    }
  }
  if (const Json* dropout = find_field(model, "dropout")) {
    const bool is_off = dropout->is_number() && dropout->get<double>() == 0.0;
    if (!is_off) return bad_model("model: \"dropout\" is not supported; remove it");
  }
  for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const Json* affix = find_field(model, name);
    const bool is_off =
        affix == nullptr || (affix->is_string() && affix->get_ref<const std::string&>().empty());
    if (!is_off) return bad_model(std::string("model: \"") + name + "\" is not supported");
  }
  return ok_status();
}

Status read_unknown(const Json& model, const TokenIndex& ids, BpeRules* rules) {
  QUIRE_ASSIGN(rules->fuse_unknown, bool_field(model, "fuse_unk", false, "model"));
  if (find_field(model, "unk_token") == nullptr) return ok_status();
  QUIRE_ASSIGN(const std::string unknown, string_field(model, "unk_token", "model"));
  if (unknown.empty()) return ok_status();
  const auto found = ids.find(unknown);
  if (!found) return bad_model("model: \"unk_token\" is not in the vocabulary");
  rules->unknown = *found;
  return ok_status();
}

bool is_unigram(const Json& model) {
  const Json* type = find_field(model, "type");
  return type != nullptr && *type == "Unigram";
}

// The pieces of a Unigram model: texts and scores in the order of their ids.
Status read_pieces(const Json& model, BpeTokenizerSpec* spec) {
  const Json* vocab = find_field(model, "vocab");
  if (vocab == nullptr || !vocab->is_array() || vocab->size() > std::size_t{kMaxTokenId}) {
    return bad_model("model: \"vocab\" of a Unigram model must be an array of pieces and scores");
  }
  UnigramRules rules;
  rules.token_of_byte.fill(kNoToken);
  for (const Json& entry : *vocab) {
    const auto id = static_cast<TokenId>(rules.scores.size());
    const bool is_piece = entry.is_array() && entry.size() == 2 && entry[0].is_string() &&
                          entry[1].is_number() && std::isfinite(entry[1].get<double>());
    if (!is_piece) {
      return bad_model("model: piece " + std::to_string(id) + " is no pair of a text and a score");
    }
    QUIRE_TRY(place_token(id, entry[0].get<std::string>(), &spec->tokens));
    rules.scores.push_back(entry[1].get<double>());
  }
  spec->unigram = std::move(rules);
  return ok_status();
}

// What stands for characters that no piece has: bytes, or the unknown token.
Status read_unigram(const Json& model, const TokenIndex& ids, BpeTokenizerSpec* spec) {
  QUIRE_ASSIGN(const bool has_bytes, bool_field(model, "byte_fallback", false, "model"));
  UnigramRules& rules = *spec->unigram;
  for (std::size_t byte = 0; byte < 256 && has_bytes; ++byte) {
    rules.token_of_byte[byte] = ids.find(byte_token(byte, true)).value_or(kNoToken);
  }
  if (const Json* unknown = find_field(model, "unk_id")) {
    QUIRE_ASSIGN(rules.unknown, token_id_of(*unknown, "model: \"unk_id\""));
    if (static_cast<std::size_t>(rules.unknown) >= rules.scores.size()) {
      return bad_model("model: \"unk_id\" is not in the vocabulary");
    }
  }
  spec->rules.unknown = rules.unknown;
  return ok_status();
}

Status read_model(const Json& model,
                  const Json* added_tokens,
                  const TokenizerOptions& options,
                  LongParts* parts,
                  BpeTokenizerSpec* spec) {
  QUIRE_TRY(check_object(model, "model"));
  const bool has_pieces = is_unigram(model);
  if (!has_pieces) QUIRE_TRY(check_model_options(model));
  QUIRE_ASSIGN(spec->ignore_merges, bool_field(model, "ignore_merges", false, "model"));
  if (parts != nullptr) {
    spec->tokens = std::move(parts->tokens);
  } else if (has_pieces) {
    QUIRE_TRY(read_pieces(model, spec));
  } else {
    QUIRE_TRY(read_vocab(model, spec));
  }
  QUIRE_TRY(read_added_tokens(added_tokens, spec));
  QUIRE_ASSIGN(const TokenIndex ids, ids_by_text(spec->tokens));
  mark_control_tokens(options, &spec->added_tokens);
  std::vector<bool> control(spec->tokens.size());
  for (const AddedToken& token : spec->added_tokens) {
    if (token.is_control()) control[static_cast<std::size_t>(token.id)] = true;
  }
  if (has_pieces) {
    if (!spec->rules.by_characters) return bad_model("a Unigram model has no use for ByteLevel");
    return read_unigram(model, ids, spec);
  }
  QUIRE_TRY(read_unknown(model, ids, &spec->rules));
  QUIRE_ASSIGN(const bool byte_fallback, bool_field(model, "byte_fallback", false, "model"));
  spec->rules.token_of_byte.fill(kNoToken);
  if (spec->rules.by_characters) read_characters(spec->tokens, control, &spec->rules);
  if (!spec->rules.by_characters || byte_fallback) {
    QUIRE_TRY(read_bytes(ids, control, &spec->rules));
  }
  const bool has_all_bytes =
      std::ranges::find(spec->rules.token_of_byte, kNoToken) == spec->rules.token_of_byte.end();
  if (!spec->rules.by_characters && byte_fallback && !has_all_bytes) {
    return bad_model("model: \"byte_fallback\" beside ByteLevel is not supported");
  }
  MergeList merges(ids, control, &spec->rules);
  return parts != nullptr ? read_merges_text(parts->merges, &merges) : read_merges(model, &merges);
}

// The file's "truncation" and "padding" are left alone on purpose: they are habits of the program
// that wrote the file, and the reference's users reset them too.
Result<BpeTokenizerSpec> read_spec(const Json& json,
                                   const TokenizerOptions& options,
                                   LongParts* parts) {
  QUIRE_TRY(check_object(json, "the document"));
  const Json* model = find_field(json, "model");
  if (model == nullptr) return bad_model("there is no \"model\"");
  BpeTokenizerSpec spec;
  QUIRE_TRY(read_pre_tokenizer(find_field(json, "pre_tokenizer"), &spec.pre_tokenizer));
  spec.rules.by_characters = !spec.pre_tokenizer.is_byte_level();
  QUIRE_TRY(read_model(*model, find_field(json, "added_tokens"), options, parts, &spec));
  QUIRE_TRY(read_normalizer(find_field(json, "normalizer"), &spec));
  QUIRE_TRY(read_post_processor(find_field(json, "post_processor"), &spec));
  spec.unknown_is_text = is_unknown_text(spec, options);
  QUIRE_TRY(read_decoder(find_field(json, "decoder"), &spec.decoder));
  if (spec.decoder.byte_level == spec.rules.by_characters) {
    return bad_model("pre_tokenizer and decoder must both be ByteLevel, or neither");
  }
  return spec;
}

// The file with its long parts read as text; fails where that is not how to read it.
Result<BpeTokenizerSpec> read_by_parts(std::string_view json,
                                       const TokenizerOptions& options,
                                       const TokenizerConfigFiles* files) {
  const Status unusual = bad_model("the file is to be read as a tree");
  const std::optional<ModelText> cut = cut_model_text(json);
  if (!cut || !cut->vocab.starts_with('{')) return unusual;
  auto tokens = read_vocab_text(cut->vocab, kMaxTokenBytes, std::size_t{kMaxTokenId});
  if (!tokens) return unusual;
  LongParts parts{*std::move(tokens), cut->merges};
  QUIRE_ASSIGN(Json document, parse_json(cut->rest, "the tokenizer"));
  if (files != nullptr) {
    const TokenIndex ids(parts.tokens);
    const auto size = std::ranges::count_if(parts.tokens, [](const auto& t) { return !t.empty(); });
    const ModelVocabulary vocabulary{[&ids](const std::string& text) { return ids.find(text); },
                                     static_cast<std::size_t>(size)};
    QUIRE_TRY(apply_tokenizer_config(*files, vocabulary, &document));
  }
  return read_spec(document, options, &parts);
}

// The id that a vocabulary gives a text: an object has it, an array its place.
std::optional<TokenId> id_in_tree(const Json& vocab, const std::string& text) {
  if (vocab.is_array()) {
    const auto piece = std::ranges::find_if(vocab, [&text](const Json& entry) {
      return entry.is_array() && !entry.empty() && entry[0] == text;
    });
    return piece == vocab.end() ? std::nullopt
                                : std::optional(static_cast<TokenId>(piece - vocab.begin()));
  }
  if (!vocab.is_object()) return std::nullopt;
  const auto found = vocab.find(text);
  if (found == vocab.end()) return std::nullopt;
  const auto id = token_id_of(*found, "vocab");
  return id ? std::optional(*id) : std::nullopt;
}

Result<BpeTokenizerSpec> read_as_tree(std::string_view json,
                                      const TokenizerOptions& options,
                                      const TokenizerConfigFiles* files) {
  QUIRE_ASSIGN(Json document, parse_json(json, "the tokenizer"));
  if (files != nullptr) {
    const Json* model = find_field(document, "model");
    const Json* found = model == nullptr ? nullptr : find_field(*model, "vocab");
    const Json vocab = found == nullptr ? Json::object() : *found;
    const ModelVocabulary vocabulary{
        [&vocab](const std::string& text) { return id_in_tree(vocab, text); }, vocab.size()};
    QUIRE_TRY(apply_tokenizer_config(*files, vocabulary, &document));
  }
  return read_spec(document, options, nullptr);
}

Result<std::unique_ptr<Tokenizer>> make_tokenizer(std::string_view json,
                                                  const TokenizerOptions& options,
                                                  const TokenizerConfigFiles* files) {
  if (json.size() > kMaxFileBytes) return bad_model("tokenizer.json is too large");
  Result<BpeTokenizerSpec> spec = read_by_parts(json, options, files);
  // What the fast way cannot read the other one can, or says why not.
  if (!spec) spec = read_as_tree(json, options, files);
  if (!spec) return spec.error();
  return std::unique_ptr<Tokenizer>(std::make_unique<BpeTokenizer>(*std::move(spec)));
}

bool is_there(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

// The files beside the tokenizer.json of a folder that nobody has exported; a package has its
// tokenizer.json as it is to be read.
Result<std::optional<TokenizerConfigFiles>> read_config_files(const std::filesystem::path& folder) {
  const bool has_any =
      is_there(folder / "tokenizer_config.json") || is_there(folder / "added_tokens.json");
  if (is_there(folder / "model_info.json") || !has_any) {
    return std::optional<TokenizerConfigFiles>();
  }
  TokenizerConfigFiles files;
  for (const auto& [name, json] : {std::pair("tokenizer_config.json", &files.tokenizer_config),
                                   std::pair("added_tokens.json", &files.added_tokens),
                                   std::pair("special_tokens_map.json", &files.special_tokens_map),
                                   std::pair("config.json", &files.config)}) {
    if (!is_there(folder / name)) continue;
    QUIRE_ASSIGN(*json, read_json_file(folder / name, kMaxConfigBytes));
    QUIRE_TRY(check_object(*json, name));
  }
  return std::optional(std::move(files));
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> parse_tokenizer_json(std::string_view json,
                                                        const TokenizerOptions& options) {
  return make_tokenizer(json, options, nullptr);
}

namespace {

Result<std::unique_ptr<Tokenizer>> read_tokenizer(const std::filesystem::path& folder,
                                                  const TokenizerOptions& options) {
  const std::filesystem::path path = folder / "tokenizer.json";
  QUIRE_ASSIGN(const std::string text, read_file(path, kMaxFileBytes));
  QUIRE_ASSIGN(const auto files, read_config_files(folder));
  auto tokenizer = make_tokenizer(text, options, files ? &*files : nullptr);
  if (!tokenizer) return tokenizer.error().with_context(path.string());
  return tokenizer;
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> load_tokenizer(const std::filesystem::path& folder,
                                                  const TokenizerOptions& options) {
  auto tokenizer = read_tokenizer(folder, options);
  if (tokenizer) return tokenizer;
  return tokenizer.error().with_next_step(
      "take the tokenizer's files from where the model came from, or export it again");
}

}  // namespace quire
