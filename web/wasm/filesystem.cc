#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

// What shim/filesystem declares, over WASI's files.
_LIBCPP_BEGIN_NAMESPACE_FILESYSTEM

path path::lexically_normal() const {
  std::vector<path> kept;
  for (const path& part : *this) {
    if (part.native() == "." || part.empty()) continue;
    if (part.native() == ".." && !kept.empty() && kept.back().native() != "..") {
      if (kept.back().native() != "/") kept.pop_back();
      continue;
    }
    kept.push_back(part);
  }
  path normal;
  for (const path& part : kept) normal /= part;
  return normal;
}

path path::lexically_relative(const path& base) const {
  const auto [end, at] = std::mismatch(base.begin(), base.end(), begin(), this->end());
  path relative;
  if (end != base.end()) return relative;
  for (auto part = at; part != this->end(); ++part) relative /= *part;
  return relative;
}

void path::split() const {
  if (split_text_ == text_ && (!parts_.empty() || text_.empty())) return;
  split_text_ = text_;
  parts_.clear();
  if (is_absolute()) parts_.emplace_back("/");
  std::size_t at = 0;
  while (at < text_.size()) {
    const std::size_t slash = std::min(text_.find('/', at), text_.size());
    if (slash > at) parts_.emplace_back(text_.substr(at, slash - at));
    at = slash + 1;
  }
  if (text_.size() > 1 && text_.ends_with('/')) parts_.emplace_back();
}

file_status status(const path& at, error_code& error) {
  struct stat info = {};
  error.clear();
  if (::stat(at.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return file_type::not_found;
    error = error_code(errno, generic_category());
    return file_type::none;
  }
  if (S_ISDIR(info.st_mode)) return file_type::directory;
  return S_ISREG(info.st_mode) ? file_type::regular : file_type::unknown;
}

uintmax_t file_size(const path& at, error_code& error) {
  struct stat info = {};
  error.clear();
  if (::stat(at.c_str(), &info) == 0) return static_cast<uintmax_t>(info.st_size);
  error = error_code(errno, generic_category());
  return static_cast<uintmax_t>(-1);
}

path absolute(const path& at, error_code& error) {
  error.clear();
  return at.is_absolute() ? at : path("/") / at;
}

path canonical(const path& at, error_code& error) {
  if (!exists(status(at, error))) {
    if (!error) error = make_error_code(errc::no_such_file_or_directory);
    return {};
  }
  return absolute(at, error).lexically_normal();
}

directory_iterator::directory_iterator(const path& folder, error_code& error) {
  error.clear();
  DIR* open = ::opendir(folder.c_str());
  if (open == nullptr) {
    error = error_code(errno, generic_category());
    return;
  }
  while (const dirent* entry = ::readdir(open)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") entries_.emplace_back(folder / name);
  }
  ::closedir(open);
}

_LIBCPP_END_NAMESPACE_FILESYSTEM
