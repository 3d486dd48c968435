#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "quire/result.h"

namespace quire {

// Reads a whole regular file of at most `max_bytes`. Fails with kBadModel and the file's name.
Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t max_bytes);

// Digests of a file, read in pieces, as lower-case hexadecimal digits.
Result<std::string> file_xxh3_128(const std::filesystem::path& path);
Result<std::string> file_sha256(const std::filesystem::path& path);

}  // namespace quire
