#pragma once

#include <cstdlib>
#include <optional>
#include <type_traits>
#include <utility>

#include "quire/status.h"

namespace quire {

// A value or the Status that says why there is none. The member names are those of std::expected,
// so that it can take over once every compiler we build with has it.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT: implicit on purpose
  Result(Status status) : status_(std::move(status)) {  // NOLINT: implicit on purpose
    if (status_.ok())
      status_ = Status(StatusCode::kInternal, "a Result was made from an ok Status");
  }

  [[nodiscard]] bool has_value() const { return value_.has_value(); }
  explicit operator bool() const { return has_value(); }

  // The value. Reading it from a failed Result ends the program: that is a bug of the caller's.
  T& operator*() & { return checked(); }
  const T& operator*() const& { return const_cast<Result*>(this)->checked(); }
  T&& operator*() && { return std::move(checked()); }
  T* operator->() { return &checked(); }
  const T* operator->() const { return &const_cast<Result*>(this)->checked(); }

  // The failure; an ok Status when there is a value.
  [[nodiscard]] const Status& error() const { return status_; }

 private:
  T& checked() {
    if (!value_) std::abort();
    return *value_;
  }

  std::optional<T> value_;
  Status status_;
};

}  // namespace quire

// Returns from the enclosing function when `expr` (a Status) is not ok.
#define QUIRE_TRY(expr)                            \
  do {                                             \
    ::quire::Status quire_status_ = (expr);        \
    if (!quire_status_.ok()) return quire_status_; \
  } while (false)

#define QUIRE_CONCAT_INNER_(a, b) a##b
#define QUIRE_CONCAT_(a, b) QUIRE_CONCAT_INNER_(a, b)

// QUIRE_ASSIGN(auto ids, encode(text)): the value of a Result, or return its failure.
#define QUIRE_ASSIGN(target, expr)                                                            \
  auto QUIRE_CONCAT_(quire_result_, __LINE__) = (expr);                                       \
  if (!QUIRE_CONCAT_(quire_result_, __LINE__))                                                \
    return QUIRE_CONCAT_(quire_result_, __LINE__).error();                                    \
  /* A declaration cannot stand in parentheses. NOLINTNEXTLINE(bugprone-macro-parentheses) */ \
  target = *std::move(QUIRE_CONCAT_(quire_result_, __LINE__))
