#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "quire/result.h"

namespace quire {

// Reads a whole regular file of at most `max_bytes`. Fails with kBadModel and the file's name.
Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t max_bytes);

// Whether a file that belongs to a model is a plain file, or a link that stays with the model: its
// real target lies below `folder`, or beside the real file of the graph, as in huggingface_hub's
// cache, whose folders are links into one of files. kBadModel: it is missing, no file, or a link to
// somewhere else.
Status check_stays_with_model(const std::filesystem::path& path,
                              const std::filesystem::path& folder,
                              const std::filesystem::path& graph);

// Digests of a file, read in pieces, as lower-case hexadecimal digits.
Result<std::string> file_xxh3_128(const std::filesystem::path& path);
Result<std::string> file_sha256(const std::filesystem::path& path);

}  // namespace quire
