#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "quire/result.h"

namespace quire::ops {

// What a graph says of one of its nodes. Integers and floats are not mixed up: the wrong kind is an
// error (kBadModel), as is a required attribute that is missing.
class Attributes {
 public:
  using Value = std::variant<std::int64_t, float, std::string>;

  void set(std::string name, Value value) {
    values_.emplace_back(std::move(name), std::move(value));
  }

  Result<std::int64_t> required_int(std::string_view name) const;
  Result<std::int64_t> optional_int(std::string_view name, std::int64_t otherwise) const;
  Result<float> optional_float(std::string_view name, float otherwise) const;
  Result<std::string> required_string(std::string_view name) const;

 private:
  const Value* find(std::string_view name) const;

  std::vector<std::pair<std::string, Value>> values_;
};

}  // namespace quire::ops
