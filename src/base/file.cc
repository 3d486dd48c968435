#include "base/file.h"

// The interface that names the algorithm: EVP, which replaced it, looks algorithms up by name and
// so brings along all of them and what opens libraries, megabytes of a static program.
#define OPENSSL_API_COMPAT 0x10100000L
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "base/hash.h"

namespace quire {
namespace {

using FilePointer = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

Status cannot_read(const std::filesystem::path& path, const std::string& why) {
  return bad_model("cannot read " + path.string() + ": " + why);
}

Result<FilePointer> open_regular(const std::filesystem::path& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) return cannot_read(path, "there is no such file");
  if (!std::filesystem::is_regular_file(status)) return cannot_read(path, "it is not a file");
  FilePointer file(std::fopen(path.c_str(), "rbe"), std::fclose);
  if (file == nullptr) return cannot_read(path, std::strerror(errno));
  return file;
}

Status for_each_piece(const std::filesystem::path& path,
                      const std::function<void(std::span<const std::byte>)>& body) {
  QUIRE_ASSIGN(const FilePointer file, open_regular(path));
  std::vector<std::byte> buffer(std::size_t{1} << 20U);
  while (true) {
    const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), file.get());
    if (got > 0) body(std::span(buffer).first(got));
    if (got < buffer.size()) break;
  }
  return std::ferror(file.get()) != 0 ? cannot_read(path, "the read failed") : ok_status();
}

bool is_below(const std::filesystem::path& path, const std::filesystem::path& folder) {
  const auto [end, at] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return end == folder.end() && at != path.end();
}

std::string to_hex(std::span<const unsigned char> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const unsigned char byte : bytes) {
    hex.push_back(kDigits[byte >> 4U]);
    hex.push_back(kDigits[byte & 0xFU]);
  }
  return hex;
}

}  // namespace

Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
  QUIRE_ASSIGN(const FilePointer file, open_regular(path));
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (error) return cannot_read(path, error.message());
  if (size > max_bytes) {
    return cannot_read(path,
                       "it has " + std::to_string(size) + " bytes, more than the limit of " +
                           std::to_string(max_bytes));
  }
  std::string text(size, '\0');
  const std::size_t got = std::fread(text.data(), 1, text.size(), file.get());
  if (got != text.size()) return cannot_read(path, "the read failed");
  return text;
}

Status check_stays_with_model(const std::filesystem::path& path,
                              const std::filesystem::path& folder,
                              const std::filesystem::path& graph) {
  std::error_code error;
  const auto status = std::filesystem::symlink_status(path, error);
  if (!std::filesystem::exists(status)) {
    return bad_model(path.string() + " is missing; export or copy the package again");
  }
  if (std::filesystem::is_regular_file(status)) return ok_status();
  if (!std::filesystem::is_symlink(status)) {
    return bad_model(path.string() + " is not a plain file; export or copy the package again");
  }
  const std::filesystem::path real = std::filesystem::canonical(path, error);
  if (error || !std::filesystem::is_regular_file(real, error)) {
    return bad_model(path.string() +
                     " is not a plain file: the link leads to none; download it again");
  }
  const std::filesystem::path home = std::filesystem::canonical(folder, error);
  if (!error && is_below(real, home)) return ok_status();
  const std::filesystem::path beside = std::filesystem::canonical(graph, error).parent_path();
  if (!error && real.parent_path() == beside) return ok_status();
  return bad_model(
      path.string() +
      " is not a plain file: the link leads out of its folder; put the file itself there");
}

Result<std::string> file_xxh3_128(const std::filesystem::path& path) {
  Hasher128 hasher;
  QUIRE_TRY(for_each_piece(path, [&](std::span<const std::byte> piece) { hasher.update(piece); }));
  return hasher.hex_digest();
}

Result<std::string> file_sha256(const std::filesystem::path& path) {
  SHA256_CTX context;
  SHA256_Init(&context);
  QUIRE_TRY(for_each_piece(path, [&](std::span<const std::byte> piece) {
    SHA256_Update(&context, piece.data(), piece.size());
  }));
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256_Final(digest.data(), &context);
  return to_hex(digest);
}

}  // namespace quire
