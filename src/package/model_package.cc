#include "package/model_package.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "package/foreign_package.h"

namespace quire {
namespace {

constexpr const char* kInfoFile = "model_info.json";
constexpr std::uint64_t kMaxInfoBytes = std::uint64_t{16} << 20U;
constexpr std::int64_t kMaxDimension = std::int64_t{1} << 24U;

// A file name that cannot leave its folder.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
         name.find('\\') == std::string::npos && name.find('\0') == std::string::npos;
}

bool is_hex(const std::string& text, std::size_t length) {
  return text.size() == length && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// The numbers of a version like 1.2.3; empty when the text is none.
std::vector<int> version_numbers(std::string_view text) {
  std::vector<int> numbers;
  while (true) {
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || number < 0) return {};
    numbers.push_back(number);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.empty()) return numbers;
    if (text.front() != '.') return {};
    text.remove_prefix(1);
  }
}

Status check_runtime_version(const JsonObject& info) {
  QUIRE_ASSIGN(const std::string needed, info.string_or("min_runtime_version", "0"));
  const std::vector<int> numbers = version_numbers(needed);
  if (numbers.empty()) {
    return bad_model(info.what() + ": min_runtime_version \"" + needed + "\" is no version");
  }
  if (numbers <= version_numbers(QUIRE_VERSION)) return ok_status();
  return bad_model(info.what() + " needs quire " + needed +
                   ", and this is " QUIRE_VERSION "; use a newer quire");
}

Result<int> dimension(const JsonObject& info, const char* key) {
  QUIRE_ASSIGN(const std::int64_t value, info.integer(key, 1, kMaxDimension));
  return static_cast<int>(value);
}

Status check_format(const JsonObject& info) {
  QUIRE_ASSIGN(const std::string format, info.string("format"));
  if (format != "quire-model-package") {
    return bad_model(info.what() + " is not of a Quire package: its format is \"" + format + "\"");
  }
  QUIRE_ASSIGN(const std::int64_t version,
               info.integer("format_version", 0, std::numeric_limits<std::int64_t>::max()));
  if (version == kPackageFormatVersion) return check_runtime_version(info);
  return bad_model(
      info.what() + " has format version " + std::to_string(version) +
      ", but this quire " QUIRE_VERSION " reads version " + std::to_string(kPackageFormatVersion) +
      (version > kPackageFormatVersion ? "; use a newer quire"
                                       : "; export the model again with quire-export"));
}

Status read_sizes(const JsonObject& info, ModelPackage* package) {
  QUIRE_ASSIGN(package->num_layers, dimension(info, "num_layers"));
  QUIRE_ASSIGN(package->hidden_size, dimension(info, "hidden_size"));
  QUIRE_ASSIGN(package->intermediate_size, dimension(info, "intermediate_size"));
  QUIRE_ASSIGN(package->num_heads, dimension(info, "num_heads"));
  QUIRE_ASSIGN(package->num_kv_heads, dimension(info, "num_kv_heads"));
  QUIRE_ASSIGN(package->head_dim, dimension(info, "head_dim"));
  QUIRE_ASSIGN(package->vocab_size, dimension(info, "vocab_size"));
  QUIRE_ASSIGN(package->max_seq_len, dimension(info, "max_seq_len"));
  if (package->num_heads % package->num_kv_heads != 0) {
    return bad_model(info.what() + ": num_heads " + std::to_string(package->num_heads) +
                     " is no multiple of num_kv_heads " + std::to_string(package->num_kv_heads));
  }
  return ok_status();
}

Status read_cache_layers(const JsonObject& info, ModelPackage* package) {
  QUIRE_ASSIGN(const nlohmann::json* layers, info.array("cache_layers"));
  for (const nlohmann::json& item : *layers) {
    QUIRE_ASSIGN(const JsonObject layer, JsonObject::of(item, info.what() + ": cache_layers"));
    CacheLayer cache;
    QUIRE_ASSIGN(cache.num_kv_heads, dimension(layer, "num_kv_heads"));
    QUIRE_ASSIGN(cache.head_dim, dimension(layer, "head_dim"));
    package->cache_layers.push_back(cache);
  }
  const auto num_layers = static_cast<std::size_t>(package->num_layers);
  if (package->cache_layers.size() == 1) {
    package->cache_layers.resize(num_layers, package->cache_layers.front());
  }
  if (package->cache_layers.size() == num_layers) return ok_status();
  return bad_model(info.what() + ": cache_layers has " +
                   std::to_string(package->cache_layers.size()) + " entries for " +
                   std::to_string(num_layers) + " layers");
}

// Reasons of the end ids, which older packages do not have.
Status read_eos_sources(const JsonObject& info, ModelPackage* package) {
  if (!info.has("eos_sources")) return ok_status();
  QUIRE_ASSIGN(const JsonObject sources, info.object("eos_sources"));
  for (const TokenId id : package->eos_ids) {
    const std::string key = std::to_string(id);
    if (!sources.has(key.c_str())) continue;
    QUIRE_ASSIGN(package->eos_sources[id], sources.string(key.c_str()));
  }
  return ok_status();
}

Status read_special_ids(const JsonObject& info, ModelPackage* package) {
  if (info.has("control_token_ids")) {
    // An added token may lie beyond the logits: it can still be spelled.
    constexpr std::int64_t kMost = std::numeric_limits<TokenId>::max();
    QUIRE_ASSIGN(const auto control, info.integers("control_token_ids", 0, kMost));
    package->control_ids.assign(control.begin(), control.end());
  }
  QUIRE_ASSIGN(const JsonObject ids, info.object("special_ids"));
  if (!ids.has("eos")) return ok_status();
  QUIRE_ASSIGN(const auto eos, ids.integers("eos", 0, package->vocab_size - 1));
  package->eos_ids.assign(eos.begin(), eos.end());
  return read_eos_sources(info, package);
}

Result<std::optional<TokenId>> optional_id(const JsonObject& ids, const char* key, int vocab_size) {
  if (!ids.has(key) || ids.value()[key].is_null()) return std::optional<TokenId>();
  QUIRE_ASSIGN(const std::int64_t id, ids.integer(key, 0, vocab_size - 1));
  return std::optional(static_cast<TokenId>(id));
}

Status read_tool(const JsonObject& info, ModelPackage* package) {
  if (!info.has("tool_markers") || info.value()["tool_markers"].is_null()) return ok_status();
  QUIRE_ASSIGN(const JsonObject markers, info.object("tool_markers"));
  PackageTool tool;
  const int vocab_size = package->vocab_size;
  QUIRE_ASSIGN(const std::int64_t begin, markers.integer("call_begin", 0, vocab_size - 1));
  QUIRE_ASSIGN(const std::int64_t end, markers.integer("call_end", 0, vocab_size - 1));
  tool.call_begin = static_cast<TokenId>(begin);
  tool.call_end = static_cast<TokenId>(end);
  QUIRE_ASSIGN(tool.result_begin, optional_id(markers, "result_begin", vocab_size));
  QUIRE_ASSIGN(tool.result_end, optional_id(markers, "result_end", vocab_size));
  if (tool.call_begin == tool.call_end) {
    return bad_model(markers.what() + ": call_begin and call_end are the same id");
  }
  if (markers.has("tool") && !markers.value()["tool"].is_null()) {
    QUIRE_ASSIGN(tool.name, markers.string("tool"));
  }
  package->tool = std::move(tool);
  return ok_status();
}

Status read_source(const JsonObject& info, ModelPackage* package) {
  QUIRE_ASSIGN(package->name, info.string("name"));
  QUIRE_ASSIGN(package->architecture, info.string("architecture"));
  QUIRE_ASSIGN(package->graph, info.string("graph"));
  if (package->graph != "paged" && package->graph != "explicit" && package->graph != "none") {
    return bad_model(info.what() + " has the graph \"" + package->graph +
                     "\", which is none of paged, explicit and none");
  }
  QUIRE_ASSIGN(package->dtype, info.string("dtype"));
  QUIRE_ASSIGN(const JsonObject quantization, info.object("quantization"));
  QUIRE_ASSIGN(package->quantization, quantization.string("default"));
  QUIRE_ASSIGN(const nlohmann::json* backends, info.array("backends"));
  for (const nlohmann::json& backend : *backends) {
    if (!backend.is_string()) return bad_model(info.what() + ": backends must be strings");
    package->backends.push_back(backend.get<std::string>());
  }
  if (package->backends.empty()) return bad_model(info.what() + ": backends is empty");
  if (!info.has("source")) return ok_status();
  QUIRE_ASSIGN(const JsonObject source, info.object("source"));
  QUIRE_ASSIGN(const std::string kind, source.string_or("kind", "?"));
  QUIRE_ASSIGN(const std::string file, source.string_or("file", ""));
  package->source = file.empty() ? kind : kind + " " + file;
  QUIRE_ASSIGN(package->license, source.string_or("license", ""));
  return ok_status();
}

bool is_torchscript(const std::string& name) { return name.ends_with(".pt"); }

// The graph to which a package's links may lead: its own, or that of a cache of huggingface_hub,
// where FOLDER/snapshots/REVISION holds links into FOLDER/blobs. A link that leads elsewhere is
// none.
std::filesystem::path trusted_graph(const ModelPackage& package) {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::canonical(package.folder, error);
  const std::filesystem::path graph = std::filesystem::canonical(package.model_file, error);
  const std::filesystem::path cache = folder.parent_path();
  const bool cached = !error && cache.filename() == "snapshots" &&
                      graph.parent_path() == cache.parent_path() / "blobs";
  return cached ? graph : std::filesystem::path();
}

Status check_file_on_disk(const ModelPackage& package,
                          const std::filesystem::path& path,
                          std::uint64_t size) {
  QUIRE_TRY(check_stays_with_model(path, package.folder, trusted_graph(package)));
  std::error_code error;
  const std::uint64_t actual = std::filesystem::file_size(path, error);
  if (error || actual != size) {
    return bad_model(path.string() + " has " + std::to_string(actual) + " bytes instead of " +
                     std::to_string(size) + "; export or copy the package again");
  }
  return ok_status();
}

Status read_files(const JsonObject& info, ModelPackage* package) {
  QUIRE_ASSIGN(const JsonObject files, info.object("files"));
  for (const auto& [name, value] : files.value().items()) {
    if (!is_plain_name(name)) {
      return bad_model(info.what() + " lists the file \"" + name + "\", which is not a plain name");
    }
    QUIRE_ASSIGN(const JsonObject entry, JsonObject::of(value, info.what() + ": files: " + name));
    PackageFile file;
    QUIRE_ASSIGN(const std::int64_t size,
                 entry.integer("size", 0, std::numeric_limits<std::int64_t>::max()));
    file.size = static_cast<std::uint64_t>(size);
    QUIRE_ASSIGN(file.xxh3_128, entry.string("xxh3_128"));
    QUIRE_ASSIGN(file.sha256, entry.string("sha256"));
    if (!is_hex(file.xxh3_128, 32) || !is_hex(file.sha256, 64)) {
      return bad_model(entry.what() + " has a hash that is not one");
    }
    if (!is_torchscript(name))
      QUIRE_TRY(check_file_on_disk(*package, package->folder / name, file.size));
    package->files.emplace(name, std::move(file));
  }
  return ok_status();
}

// A file the engine would read though nothing vouches for it.
Status check_unlisted(const JsonObject& info, const ModelPackage& package) {
  for (const char* name : {"model.onnx",
                           "model.onnx.data",
                           "tokenizer.json",
                           "tokenizer_config.json",
                           "chat_template.jinja",
                           "generation_config.json",
                           "golden.json"}) {
    std::error_code error;
    const auto status = std::filesystem::symlink_status(package.folder / name, error);
    if (std::filesystem::exists(status) && !package.files.contains(name)) {
      return bad_model(info.what() + " does not list " + name +
                       ", which is in the folder; export the package again");
    }
  }
  return ok_status();
}

Status check_digest(const std::filesystem::path& path,
                    const Result<std::string>& actual,
                    const std::string& recorded) {
  QUIRE_TRY(actual.error());
  if (*actual == recorded) return ok_status();
  return bad_model(path.string() +
                   " is damaged: its hash is not the one in model_info.json; "
                   "export or copy the package again");
}

Result<ModelPackage> open_whole_package(const std::filesystem::path& folder) {
  ModelPackage package;
  package.folder = folder;
  package.model_file = folder / "model.onnx";
  const std::filesystem::path path = folder / kInfoFile;
  QUIRE_ASSIGN(const nlohmann::json json, read_json_file(path, kMaxInfoBytes));
  QUIRE_ASSIGN(const JsonObject info, JsonObject::of(json, path.string()));
  QUIRE_TRY(check_format(info));
  QUIRE_TRY(read_source(info, &package));
  QUIRE_TRY(read_sizes(info, &package));
  QUIRE_TRY(read_cache_layers(info, &package));
  QUIRE_TRY(read_special_ids(info, &package));
  QUIRE_TRY(read_tool(info, &package));
  QUIRE_TRY(read_files(info, &package));
  QUIRE_TRY(check_unlisted(info, package));
  return package;
}

}  // namespace

bool ModelPackage::has_backend(std::string_view backend) const {
  return std::ranges::find(backends, backend) != backends.end();
}

bool is_package(const std::filesystem::path& folder) {
  std::error_code error;
  return std::filesystem::exists(folder / kInfoFile, error);
}

std::filesystem::path package_folder(const std::filesystem::path& path) {
  std::error_code error;
  if (path.extension() != ".onnx" || !std::filesystem::is_regular_file(path, error)) return path;
  const std::filesystem::path beside =
      path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  for (const char* name : {kInfoFile, "genai_config.json", "config.json"}) {
    if (std::filesystem::exists(beside / name, error)) return beside;
  }
  // A hub keeps graphs in a folder of their own. Not by way of "..", which a link would bend.
  const std::filesystem::path whole = std::filesystem::absolute(beside, error).lexically_normal();
  const std::filesystem::path around =
      (whole.has_filename() ? whole : whole.parent_path()).parent_path();
  return std::filesystem::exists(around / "config.json", error) ? around : beside;
}

namespace {

Result<ModelPackage> open_either(const std::filesystem::path& path) {
  std::error_code error;
  const std::filesystem::path folder = package_folder(path);
  if (!std::filesystem::is_directory(folder, error)) return no_such_graph(folder);
  const bool chosen = folder != path;
  if (!is_package(folder)) {
    return open_foreign_package(folder, chosen ? path : std::filesystem::path());
  }
  if (chosen && path.filename() != "model.onnx") {
    return bad_model(path.string() + " is not the graph of its package; name the folder: -m " +
                     folder.string());
  }
  return open_whole_package(folder);
}

}  // namespace

Result<ModelPackage> open_package(const std::filesystem::path& path) {
  auto package = open_either(path);
  if (package) return package;
  return package.error().with_next_step(is_package(package_folder(path))
                                            ? "export or copy the package again"
                                            : "download the folder again, or make a package of "
                                              "it with quire-export");
}

Status check_package_files(const ModelPackage& package) {
  for (const auto& [name, file] : package.files) {
    if (is_torchscript(name)) continue;
    const std::filesystem::path path = package.folder / name;
    QUIRE_TRY(check_digest(path, file_xxh3_128(path), file.xxh3_128));
  }
  return ok_status();
}

Status check_package_sha256(const ModelPackage& package) {
  for (const auto& entry : package.files) QUIRE_TRY(check_file_sha256(package, entry.first));
  return ok_status();
}

Status check_file_sha256(const ModelPackage& package, const std::string& name) {
  const std::filesystem::path path = package.folder / name;
  const auto file = package.files.find(name);
  if (file == package.files.end()) {
    return bad_model(path.string() + " is not listed in model_info.json");
  }
  QUIRE_TRY(check_file_on_disk(package, path, file->second.size));
  return check_digest(path, file_sha256(path), file->second.sha256);
}

}  // namespace quire
