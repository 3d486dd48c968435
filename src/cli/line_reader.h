#pragma once

#include <cstddef>
#include <istream>
#include <string>

#include "quire/result.h"

namespace quire::cli {

// Bytes that a line, or an input taken as a whole, may have.
inline constexpr std::size_t kMaxLineBytes = std::size_t{64} << 20U;

// Reads lines of somebody's, who may send one without an end: no more than the limit is ever held.
class LineReader {
 public:
  // `stream` must outlive this; `name` is what it is called in messages.
  LineReader(std::istream* stream, std::string name, std::size_t max_bytes = kMaxLineBytes);

  // Reads the next line, without its end (\n or \r\n) and the first without a byte order mark.
  // False at the end of the input. kBadModel for a line past the limit, or a failed read.
  Result<bool> next(std::string* line);

 private:
  std::istream* stream_;
  std::string name_;
  std::size_t max_bytes_;
  bool first_ = true;
};

// Reads a whole input of at most kMaxLineBytes.
Result<std::string> read_all(std::istream* stream, const std::string& name);

}  // namespace quire::cli
