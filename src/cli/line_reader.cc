#include "cli/line_reader.h"

#include <cstdio>
#include <iostream>
#include <string>
#include <utility>

namespace quire::cli {
namespace {

constexpr int kEnd = std::char_traits<char>::eof();

Status too_long(const std::string& what, std::size_t max_bytes) {
  const bool mebibytes = max_bytes >= std::size_t{1} << 20U;
  return bad_model(what + " of more than " +
                   (mebibytes ? std::to_string(max_bytes >> 20U) + " MiB"
                              : std::to_string(max_bytes) + " bytes") +
                   "; give it in smaller pieces");
}

}  // namespace

LineReader::LineReader(std::istream* stream, std::string name, std::size_t max_bytes)
    : stream_(stream), name_(std::move(name)), max_bytes_(max_bytes) {}

Result<bool> LineReader::next(std::string* line) {
  line->clear();
  std::streambuf* const buffer = stream_->rdbuf();
  int c = kEnd;
  bool any = false;
  // A folder opens as a file and throws when it is read.
  try {
    for (c = buffer->sbumpc(); c != kEnd && c != '\n'; c = buffer->sbumpc()) {
      if (line->size() == max_bytes_) return too_long(name_ + " has a line", max_bytes_);
      line->push_back(static_cast<char>(c));
      any = true;
    }
  } catch (const std::ios_base::failure&) {
    return bad_model("cannot read " + name_);
  }
  if (c == kEnd && stream_ == &std::cin && std::ferror(stdin) != 0) {
    return bad_model("cannot read " + name_);
  }
  if (!any && c == kEnd) return false;
  if (!line->empty() && line->back() == '\r') line->pop_back();
  if (std::exchange(first_, false) && line->starts_with("\xEF\xBB\xBF")) line->erase(0, 3);
  return true;
}

Result<std::string> read_all(std::istream* stream, const std::string& name) {
  std::string text;
  for (int c = stream->rdbuf()->sbumpc(); c != kEnd; c = stream->rdbuf()->sbumpc()) {
    if (text.size() == kMaxLineBytes) return too_long(name + " is a text", kMaxLineBytes);
    text.push_back(static_cast<char>(c));
  }
  return text;
}

}  // namespace quire::cli
