#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quire/result.h"
#include "quire/types.h"

namespace quire {

// The oldest and newest package format this runtime reads (docs/model_package.md).
inline constexpr int kPackageFormatVersion = 1;

// A file of a package as model_info.json records it.
struct PackageFile {
  std::uint64_t size = 0;
  std::string xxh3_128;
  std::string sha256;
};

struct CacheLayer {
  int num_kv_heads = 0;
  int head_dim = 0;
};

// The ids between which the model writes a tool call and finds its result, and the tool it knows.
struct PackageTool {
  TokenId call_begin = 0;
  TokenId call_end = 0;
  std::optional<TokenId> result_begin;
  std::optional<TokenId> result_end;
  std::string name;  // empty: on only when asked for by name
};

// What model_info.json says of a package. A plain value.
struct ModelPackage {
  std::filesystem::path folder;
  std::filesystem::path model_file;  // the ONNX graph
  std::string name;
  std::string architecture;
  std::string source;  // what it was exported from, as one line
  std::string license;
  std::string graph;  // paged | explicit | none | foreign: see open_foreign_package()
  std::vector<std::string> backends;
  int num_layers = 0;
  int hidden_size = 0;
  int intermediate_size = 0;  // width of the feed-forward layer
  int num_heads = 0;
  int num_kv_heads = 0;
  int head_dim = 0;
  int vocab_size = 0;
  int max_seq_len = 0;
  std::string dtype;
  std::string quantization;              // "none" or the default scheme
  std::vector<CacheLayer> cache_layers;  // one a layer
  std::vector<TokenId> eos_ids;
  std::vector<TokenId> control_ids;            // that text may never produce
  std::map<TokenId, std::string> eos_sources;  // where each of them is known from; may be empty
  std::optional<PackageTool> tool;
  std::map<std::string, PackageFile> files;

  bool has_backend(std::string_view backend) const;
};

// Reads model_info.json and holds it against its own rules and the folder: every file listed is a
// plain file of the recorded size. A folder without that file may be a foreign package; the path of
// an .onnx file chooses it among the graphs of its folder. TorchScript
// files are looked at only by who opens one: it may be trusted in spite of what is recorded. Fails
// with kBadModel.
Result<ModelPackage> open_package(const std::filesystem::path& path);

// Compares each file but TorchScript with its recorded XXH3-128: finds every accidental change.
Status check_package_files(const ModelPackage& package);

// Compares each file with its recorded SHA-256: finds deliberate ones too.
Status check_package_sha256(const ModelPackage& package);

// The same for one file, which model_info.json must list.
Status check_file_sha256(const ModelPackage& package, const std::string& name);

// The folder that holds the tokenizer and the configuration of what a path names: itself, or that
// of an .onnx file, whose own folder may be one of graphs alone.
std::filesystem::path package_folder(const std::filesystem::path& path);

// Whether the folder has a model_info.json.
bool is_package(const std::filesystem::path& folder);

}  // namespace quire
