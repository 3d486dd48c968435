#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "quire/result.h"
#include "server/http_message.h"

namespace quire::server {

// The keys that let a client in.
class ApiKeys {
 public:
  ApiKeys() = default;  // none: everybody is let in
  explicit ApiKeys(std::vector<std::string> keys) : keys_(std::move(keys)) {}

  // One key a line; blank lines and those that begin with # are skipped. Fails on a file without
  // one: it would let everybody in.
  static Result<ApiKeys> read(const std::filesystem::path& path);

  bool required() const { return !keys_.empty(); }
  // Whether the request has one of the keys, as a bearer token or as x-api-key. Takes as long for a
  // wrong key as for a right one.
  bool allow(const HttpRequest& request) const;
  // What tells one client from another: the key of a request that is let in; empty where none is
  // needed.
  std::string owner(const HttpRequest& request) const;

 private:
  std::vector<std::string> keys_;
};

}  // namespace quire::server
