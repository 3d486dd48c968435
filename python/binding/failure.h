#pragma once

#include <exception>
#include <string>
#include <utility>

#include "quire/result.h"
#include "quire/status.h"

namespace quire::python {

// A Status on its way to Python, where it becomes an exception of quire/errors.py.
class Failure : public std::exception {
 public:
  explicit Failure(Status status) : status_(std::move(status)) {}
  const char* what() const noexcept override { return status_.message().c_str(); }
  const Status& status() const { return status_; }

 private:
  Status status_;
};

inline void check(const Status& status) {
  if (!status.ok()) throw Failure(status);
}

// The value of a Result, or its failure thrown.
template <typename T>
T value_of(Result<T> result) {
  check(result.error());
  return *std::move(result);
}

}  // namespace quire::python
