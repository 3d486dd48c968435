#include "package/foreign_package.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/json.h"
#include "package/generation_defaults.h"

namespace quire {
namespace {

constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{16} << 20U;
constexpr std::int64_t kMaxDimension = std::int64_t{1} << 24U;

bool is_file(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error);
}

// The first of several spellings of a size that the object has; `fallback` where it has none.
Result<int> size_or(const JsonObject& config,
                    std::initializer_list<const char*> keys,
                    int fallback) {
  for (const char* key : keys) {
    if (!config.has(key)) continue;
    QUIRE_ASSIGN(const std::int64_t value, config.integer(key, 1, kMaxDimension));
    return static_cast<int>(value);
  }
  return fallback;
}

Status read_eos(const JsonObject& config, const char* file, ModelPackage* package) {
  QUIRE_ASSIGN(package->eos_ids, read_eos_token_id(config));
  for (const TokenId id : package->eos_ids) {
    package->eos_sources[id] = std::string("eos_token_id of ") + file;
  }
  return ok_status();
}

Status read_attention(const JsonObject& config, ModelPackage* package) {
  QUIRE_ASSIGN(package->num_layers, size_or(config, {"num_hidden_layers", "n_layer"}, 1));
  QUIRE_ASSIGN(package->hidden_size, size_or(config, {"hidden_size", "n_embd"}, 1));
  QUIRE_ASSIGN(package->num_heads, size_or(config, {"num_attention_heads", "n_head"}, 1));
  QUIRE_ASSIGN(package->num_kv_heads, size_or(config, {"num_key_value_heads"}, package->num_heads));
  QUIRE_ASSIGN(package->head_dim,
               size_or(config,
                       {"head_dim", "head_size"},
                       std::max(1, package->hidden_size / package->num_heads)));
  QUIRE_ASSIGN(package->intermediate_size,
               size_or(config, {"intermediate_size", "n_inner"}, 4 * package->hidden_size));
  return ok_status();
}

// config.json; a model of text and more keeps what we need in its text_config.
Status read_config(const JsonObject& outer, ModelPackage* package) {
  JsonObject config = outer;
  if (outer.has("text_config")) {
    QUIRE_ASSIGN(config, outer.object("text_config"));
  }
  QUIRE_ASSIGN(package->architecture, outer.string_or("model_type", "unknown"));
  QUIRE_ASSIGN(package->vocab_size, size_or(config, {"vocab_size"}, 0));
  QUIRE_ASSIGN(package->max_seq_len,
               size_or(config, {"max_position_embeddings", "n_positions", "n_ctx"}, 0));
  QUIRE_TRY(read_attention(config, package));
  QUIRE_TRY(read_eos(outer, "config.json", package));
  return package->eos_ids.empty() ? read_eos(config, "config.json", package) : ok_status();
}

// genai_config.json, as onnxruntime-genai's builder writes it.
Status read_genai_config(const JsonObject& outer, ModelPackage* package) {
  QUIRE_ASSIGN(const JsonObject model, outer.object("model"));
  QUIRE_ASSIGN(const JsonObject decoder, model.object("decoder"));
  QUIRE_ASSIGN(package->architecture, model.string_or("type", "unknown"));
  QUIRE_ASSIGN(package->vocab_size, size_or(model, {"vocab_size"}, 0));
  QUIRE_ASSIGN(package->max_seq_len, size_or(model, {"context_length"}, 0));
  QUIRE_TRY(read_attention(decoder, package));
  QUIRE_TRY(read_eos(model, "genai_config.json", package));
  QUIRE_ASSIGN(const std::string file, decoder.string_or("filename", "model.onnx"));
  if (std::filesystem::path(file).filename() != file) {
    return bad_model(decoder.what() + ": the file name \"" + file + "\" leaves the folder");
  }
  if (package->model_file.empty()) package->model_file = package->folder / file;
  return ok_status();
}

constexpr std::size_t kMaxListed = 16;

// The .onnx files of a folder and of the folders in it, as a hub keeps them, sorted; as many as a
// message can show and one more.
std::vector<std::filesystem::path> list_graphs(const std::filesystem::path& folder, int depth) {
  std::vector<std::filesystem::path> found;
  std::vector<std::filesystem::path> folders;
  std::error_code error;
  int looked_at = 0;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    if (++looked_at > 10'000) break;
    if (at->path().extension() == ".onnx" && is_file(at->path())) found.push_back(at->path());
    std::error_code ignored;
    if (depth > 0 && std::filesystem::is_directory(at->symlink_status(ignored))) {
      folders.push_back(at->path());
    }
  }
  std::ranges::sort(found);
  std::ranges::sort(folders);
  for (const std::filesystem::path& inner : folders) {
    if (found.size() > kMaxListed) break;
    const auto more = list_graphs(inner, depth - 1);
    found.insert(found.end(), more.begin(), more.end());
  }
  if (found.size() > kMaxListed + 1) found.resize(kMaxListed + 1);
  return found;
}

Status several_graphs(const std::filesystem::path& folder,
                      const std::vector<std::filesystem::path>& graphs) {
  std::string names;
  for (std::size_t i = 0; i < std::min(graphs.size(), kMaxListed); ++i) {
    names += (i == 0 ? "" : ", ") + graphs[i].lexically_relative(folder).string();
  }
  if (graphs.size() > kMaxListed) names += " and more";
  return bad_model(folder.string() + " holds these graphs: " + names + "; name one, as in -m " +
                   graphs.front().string());
}

Result<std::filesystem::path> find_graph(const std::filesystem::path& folder) {
  constexpr std::array<const char*, 4> kUsual = {"model.onnx",
                                                 "onnx/model.onnx",
                                                 "decoder_model_merged.onnx",
                                                 "onnx/decoder_model_merged.onnx"};
  for (const char* name : kUsual) {
    if (is_file(folder / name)) return folder / name;
  }
  for (const std::filesystem::path& place : {folder, folder / "onnx"}) {
    const auto graphs = list_graphs(place, 0);
    if (graphs.size() == 1) return graphs.front();
  }
  const auto graphs = list_graphs(folder, 3);
  if (!graphs.empty()) return several_graphs(folder, graphs);
  return bad_model(folder.string() +
                   " has neither model_info.json nor an ONNX graph; make a package with "
                   "quire-export");
}

}  // namespace

Status no_such_graph(const std::filesystem::path& graph) {
  const std::filesystem::path folder =
      graph.has_parent_path() ? graph.parent_path() : std::filesystem::path(".");
  const auto graphs =
      graph.extension() == ".onnx" ? list_graphs(folder, 3) : std::vector<std::filesystem::path>();
  if (!graphs.empty())
    return several_graphs(folder, graphs).with_context("there is no " + graph.string());
  return bad_model(graph.string() +
                   " is neither a folder nor an .onnx file; make a package with quire-export");
}

Result<ModelPackage> open_foreign_package(const std::filesystem::path& folder,
                                          const std::filesystem::path& graph) {
  ModelPackage package;
  package.folder = folder;
  package.name = folder.filename().empty() ? folder.parent_path().filename().string()
                                           : folder.filename().string();
  package.source = "a folder that quire-export did not write";
  package.graph = "foreign";
  package.backends = {"onnx"};
  package.dtype = "as exported";
  package.quantization = "none";
  const bool genai = is_file(folder / "genai_config.json");
  if (!graph.empty()) {
    package.model_file = graph;
  } else if (!genai) {
    QUIRE_ASSIGN(package.model_file, find_graph(folder));
  }
  const std::filesystem::path path = folder / (genai ? "genai_config.json" : "config.json");
  if (!is_file(path)) {
    return bad_model(folder.string() +
                     " has a graph but neither model_info.json nor config.json; put the source "
                     "model's config.json beside it");
  }
  QUIRE_ASSIGN(const nlohmann::json json, read_json_file(path, kMaxConfigBytes));
  QUIRE_ASSIGN(const JsonObject config, JsonObject::of(json, path.string()));
  QUIRE_TRY(genai ? read_genai_config(config, &package) : read_config(config, &package));
  if (package.max_seq_len == 0) {
    return bad_model(path.string() + " does not say how long the model's context is");
  }
  return package;
}

}  // namespace quire
