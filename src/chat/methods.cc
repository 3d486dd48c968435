#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/runtime.h"
#include "chat/text_methods.h"

// Methods of dictionaries and lists. Those that would change a value are known, so that a
// template that calls one is told so.

namespace quire::chat {
namespace {

using Kind = Value::Kind;

constexpr std::array<std::string_view, 10> kDictMethods = {
    "clear", "copy", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values"};
constexpr std::array<std::string_view, 11> kListMethods = {"append",
                                                           "clear",
                                                           "copy",
                                                           "count",
                                                           "extend",
                                                           "index",
                                                           "insert",
                                                           "pop",
                                                           "remove",
                                                           "reverse",
                                                           "sort"};

template <typename Names>
bool is_one_of(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Views of a dictionary are lists here; nothing can change under them.
Result<Value> call_dict_method(const Value& self,
                               const std::string& name,
                               const CallArguments& arguments,
                               Budget* budget) {
  const Dict& dict = self.as_dict();
  if (name == "get") {
    QUIRE_TRY(arguments.check(name, 1, {"key", "default"}));
    QUIRE_TRY(charge_lookup(dict, *arguments.find(0, "key"), budget));
    const Value* value = dict.find(*arguments.find(0, "key"));
    const Value* fallback = arguments.find(1, "default");
    if (value != nullptr) return *value;
    return fallback == nullptr ? Value::none() : *fallback;
  }
  QUIRE_TRY(arguments.check(name, 0, {}));
  if (name == "copy") return self;
  QUIRE_TRY(budget->spend(dict.items.size()));
  std::vector<Value> items;
  for (const auto& [key, value] : dict.items) {
    if (name == "keys") {
      items.push_back(key);
    } else if (name == "values") {
      items.push_back(value);
    } else {
      QUIRE_ASSIGN(Value pair, make_list({key, value}, true));
      items.push_back(std::move(pair));
    }
  }
  return make_list(std::move(items));
}

Result<Value> call_list_method(const Value& self,
                               const std::string& name,
                               const CallArguments& arguments,
                               Budget* budget) {
  if (name == "copy") return self;
  QUIRE_TRY(arguments.check(name, 1, {"value"}));
  const Value& wanted = *arguments.find(0, "value");
  std::int64_t count = 0;
  const auto& items = self.as_list().items;
  for (std::size_t i = 0; i < items.size(); ++i) {
    QUIRE_ASSIGN(const bool same, equal(items[i], wanted, budget));
    if (same && name == "index") return Value::integer(static_cast<std::int64_t>(i));
    count += same ? 1 : 0;
  }
  if (name == "index") return invalid_argument("a value is not in the list");
  return Value::integer(count);
}

}  // namespace

bool is_method(const Value& self, std::string_view name) {
  if (self.is(Kind::kText)) return is_text_method(name);
  if (self.is(Kind::kDict)) return is_one_of(kDictMethods, name);
  return self.is(Kind::kList) && is_one_of(kListMethods, name);
}

Result<Value> call_method(const Value& self,
                          const std::string& name,
                          const CallArguments& arguments,
                          Runtime* runtime) {
  Budget* budget = &runtime->budget;
  QUIRE_TRY(charge_call(self, arguments, budget));
  if (self.is(Kind::kText)) return call_text_method(self.as_text(), name, arguments, runtime);
  const bool is_dict = self.is(Kind::kDict);
  const bool reads = name == "copy" || (is_dict ? name == "get" || name == "items" ||
                                                      name == "keys" || name == "values"
                                                : name == "count" || name == "index");
  if (!reads) {
    return invalid_argument("'" + name + "' would change a value, which templates may not do");
  }
  return is_dict ? call_dict_method(self, name, arguments, budget)
                 : call_list_method(self, name, arguments, budget);
}

}  // namespace quire::chat
