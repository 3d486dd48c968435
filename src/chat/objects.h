#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/ast.h"
#include "chat/value.h"

namespace quire::chat {

// Variables by name; a name that is not here is looked up in the parent.
struct Scope {
  const Scope* parent = nullptr;
  std::vector<std::pair<std::string, Value>> variables;

  void set(const std::string& name, Value value);
  [[nodiscard]] const Value* find(std::string_view name) const;
  // How many variables find() may go through.
  [[nodiscard]] std::size_t size_with_parents() const;
};

// What namespace() makes: the only thing a template can change from inside a loop.
struct Namespace {
  Scope members;
};

// The `loop` variable, or what cycler() or joiner() made, which go through items as well.
struct LoopState {
  enum class Kind { kLoop, kCycler, kJoiner };
  Kind kind = Kind::kLoop;
  const Stmt* stmt = nullptr;  // of a loop, with the scope it stands in
  Scope* scope = nullptr;
  std::int64_t depth = 1;
  std::vector<Value> items;
  std::size_t index = 0;
  std::optional<Value> last_changed;
};

// Something that can be called: a function by name, a method with its object, a macro or the body
// of a call block with the scope it was written in.
struct Callable {
  std::string name;
  Value self;
  const Stmt* body = nullptr;
  const Scope* scope = nullptr;
};

}  // namespace quire::chat
