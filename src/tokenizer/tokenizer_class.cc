#include "tokenizer/tokenizer_class.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "tokenizer/json_fields.h"

namespace quire {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, 6> kRebuilding = {"CohereTokenizer",
                                                         "GPT2Tokenizer",
                                                         "GPTNeoXTokenizer",
                                                         "GemmaTokenizer",
                                                         "LlamaTokenizer",
                                                         "Qwen2Tokenizer"};

// Kinds of models whose published files name a class that is not theirs: the file counts.
constexpr std::array<std::string_view, 20> kWronglyNamed = {
    "arctic",      "chatlm", "ernie4_5", "ernie4_5_moe", "hyperclovax", "internlm2", "internlm3",
    "iquestcoder", "jamba",  "llava",    "llava_next",   "minicpm3",    "minicpmv",  "minimax_m2",
    "molmo",       "molmo2", "nemotron", "phi3",         "phimoe",      "smolvlm"};

constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kClassOfKind = {
    {{"gemma", "GemmaTokenizer"},
     {"gemma2", "GemmaTokenizer"},
     {"gemma3", "GemmaTokenizer"},
     {"gemma3_text", "GemmaTokenizer"},
     {"qwen2", "Qwen2Tokenizer"},
     {"qwen2_moe", "Qwen2Tokenizer"},
     {"qwen3", "Qwen2Tokenizer"},
     {"qwen3_moe", "Qwen2Tokenizer"},
     {"gpt2", "GPT2Tokenizer"},
     {"phi", "GPT2Tokenizer"},
     {"starcoder2", "GPT2Tokenizer"},
     {"gpt_neox", "GPTNeoXTokenizer"}}};

constexpr const char* kQwen2Split =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kMark = "\u2581";

std::string text_of(const Json& json, const char* name) {
  const Json* field = find_field(json, name);
  return field != nullptr && field->is_string() ? field->get<std::string>() : std::string();
}

// Whether any component is ByteLevel.
bool has_byte_level(const Json& document) {
  for (const char* name : {"normalizer", "pre_tokenizer", "post_processor", "decoder"}) {
    const Json* part = find_field(document, name);
    if (part != nullptr &&
        part->dump(-1, ' ', true, Json::error_handler_t::replace).find("\"ByteLevel\"") !=
            std::string::npos) {
      return true;
    }
  }
  return false;
}

Json byte_level(bool add_prefix_space, bool use_regex) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", add_prefix_space}, {"use_regex", use_regex}};
}

Json sequence(const char* members, Json steps) {
  return {{"type", "Sequence"}, {members, std::move(steps)}};
}

Json mark_decoder(bool strips) {
  Json steps = {{{"type", "Replace"}, {"pattern", {{"String", kMark}}}, {"content", " "}},
                {{"type", "ByteFallback"}},
                {{"type", "Fuse"}}};
  if (strips) steps.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return sequence("decoders", std::move(steps));
}

void write_llama(bool prefix, bool legacy, Json* document) {
  const char* scheme = !prefix ? "never" : (legacy ? "always" : "first");
  (*document)["normalizer"] = nullptr;
  (*document)["pre_tokenizer"] = {
      {"type", "Metaspace"}, {"replacement", kMark}, {"prepend_scheme", scheme}, {"split", false}};
  (*document)["decoder"] = mark_decoder(prefix);
  Json& model = (*document)["model"];
  model["unk_token"] = nullptr;
  model["fuse_unk"] = true;
  model["byte_fallback"] = true;
}

void write_gemma(const std::string& unknown, Json* document) {
  (*document)["normalizer"] = {
      {"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kMark}};
  (*document)["pre_tokenizer"] = {{"type", "Split"},
                                  {"pattern", {{"String", " "}}},
                                  {"behavior", "MergedWithPrevious"},
                                  {"invert", false}};
  (*document)["decoder"] = mark_decoder(false);
  Json& model = (*document)["model"];
  model["unk_token"] = unknown;
  model["fuse_unk"] = true;
  model["byte_fallback"] = true;
}

void write_byte_level(const std::string& name, bool prefix, Json* document) {
  const Json nfc = {{"type", "NFC"}};
  const Json words = byte_level(prefix, true);
  (*document)["decoder"] = byte_level(true, true);
  (*document)["normalizer"] = name == "GPT2Tokenizer" ? Json() : nfc;
  if (name == "Qwen2Tokenizer") {
    const Json split = {{"type", "Split"},
                        {"pattern", {{"Regex", kQwen2Split}}},
                        {"behavior", "Isolated"},
                        {"invert", false}};
    (*document)["pre_tokenizer"] =
        sequence("pretokenizers", Json::array({split, byte_level(prefix, false)}));
  } else if (name == "CohereTokenizer") {
    const Json digits = {{"type", "Digits"}, {"individual_digits", true}};
    (*document)["pre_tokenizer"] = sequence("pretokenizers", Json::array({digits, words}));
  } else {
    (*document)["pre_tokenizer"] = words;
  }
  Json& model = (*document)["model"];
  model["unk_token"] = nullptr;
  model["fuse_unk"] = false;
  model["byte_fallback"] = false;
}

}  // namespace

bool is_rebuilding_class(const std::string& name) {
  return std::ranges::find(kRebuilding, name) != kRebuilding.end();
}

std::string tokenizer_class_of(const Json& tokenizer_config,
                               const Json& model_config,
                               const Json& document) {
  const std::string kind = text_of(model_config, "model_type");
  if (std::ranges::find(kWronglyNamed, kind) != kWronglyNamed.end()) return {};
  std::string name = text_of(tokenizer_config, "tokenizer_class");
  if (name.empty()) name = text_of(model_config, "tokenizer_class");
  if (name.ends_with("Fast")) name.resize(name.size() - 4);
  if (kind == "qwen2" && !name.empty()) name = "Qwen2Tokenizer";
  if (name.empty()) {
    for (const auto& [known, its_class] : kClassOfKind) {
      if (kind == known) name = its_class;
    }
  }
  if (name == "LlamaTokenizer" && has_byte_level(document)) return {};
  const Json* model = find_field(document, "model");
  const std::string type = model == nullptr ? "" : text_of(*model, "type");
  const bool is_bpe = type.empty() || type == "BPE";
  return is_bpe && is_rebuilding_class(name) ? name : std::string();
}

Json class_tokens(const std::string& name) {
  constexpr const char* kEnd = "<|endoftext|>";
  if (name == "LlamaTokenizer") {
    return {{"unk_token", "<unk>"}, {"bos_token", "<s>"}, {"eos_token", "</s>"}};
  }
  if (name == "GemmaTokenizer") {
    return {{"unk_token", "<unk>"},
            {"bos_token", "<bos>"},
            {"eos_token", "<eos>"},
            {"pad_token", "<pad>"},
            {"mask_token", "<mask>"}};
  }
  if (name == "GPT2Tokenizer" || name == "GPTNeoXTokenizer") {
    Json tokens = {{"unk_token", kEnd}, {"bos_token", kEnd}, {"eos_token", kEnd}};
    if (name == "GPTNeoXTokenizer") tokens["pad_token"] = "<|padding|>";
    return tokens;
  }
  if (name == "Qwen2Tokenizer") {
    return {{"unk_token", kEnd}, {"eos_token", kEnd}, {"pad_token", kEnd}};
  }
  if (name == "CohereTokenizer") {
    return {{"unk_token", "<UNK>"},
            {"bos_token", "<BOS_TOKEN>"},
            {"eos_token", "<|END_OF_TURN_TOKEN|>"},
            {"pad_token", "<PAD>"},
            {"cls_token", "<CLS>"},
            {"sep_token", "<SEP>"},
            {"mask_token", "<MASK_TOKEN>"}};
  }
  return Json::object();
}

Status rebuild_components(const std::string& name,
                          const Json& tokenizer_config,
                          const std::string& unknown,
                          Json* document) {
  if (!is_rebuilding_class(name)) return ok_status();
  const Json* model = find_field(*document, "model");
  if (model == nullptr || !model->is_object()) return bad_model("there is no \"model\"");
  constexpr const char* kWhere = "tokenizer_config.json";
  const bool is_llama = name == "LlamaTokenizer";
  QUIRE_ASSIGN(const bool prefix,
               bool_field(tokenizer_config, "add_prefix_space", is_llama, kWhere));
  (*document)["model"]["ignore_merges"] = false;
  QUIRE_ASSIGN(const bool legacy, bool_field(tokenizer_config, "legacy", false, kWhere));
  if (is_llama) {
    write_llama(prefix, legacy, document);
  } else if (name == "GemmaTokenizer") {
    write_gemma(unknown, document);
  } else {
    write_byte_level(name, prefix, document);
  }
  return ok_status();
}

}  // namespace quire
