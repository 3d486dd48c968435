#include <algorithm>
#include <string>
#include <vector>

#include "grammar/schema_compiler.h"

namespace quire::grammar {
namespace {

constexpr int kMaxDepth = 8;

bool is_required(const std::string& name, const std::vector<SchemaRef>& all) {
  return std::ranges::any_of(all, [&](const SchemaRef& schema) {
    const Json* required = schema.find("required");
    return required != nullptr && std::ranges::find(*required, Json(name)) != required->end();
  });
}

}  // namespace

// Objects are apart when a property that both must have cannot be both.
Result<bool> SchemaCompiler::apart_objects(const Refs& left, const Refs& right, int depth) {
  std::vector<std::string> names;
  for (const SchemaRef& schema : left) {
    const Json* required = schema.find("required");
    if (required == nullptr) continue;
    for (const Json& name : *required) names.push_back(name.get<std::string>());
  }
  for (const SchemaRef& schema : right) {
    const Json* required = schema.find("required");
    if (required == nullptr) continue;
    for (const Json& name : *required) names.push_back(name.get<std::string>());
  }
  for (const std::string& name : names) {
    QUIRE_ASSIGN(const Refs a, value_schemas(name, left));
    QUIRE_ASSIGN(const Refs b, value_schemas(name, right));
    QUIRE_ASSIGN(const Conjunction both_a, flatten(a));
    QUIRE_ASSIGN(const Conjunction both_b, flatten(b));
    const bool in_left = is_required(name, left);
    const bool in_right = is_required(name, right);
    if ((in_left && both_b.never) || (in_right && both_a.never)) return true;
    if (!in_left || !in_right) continue;
    QUIRE_ASSIGN(const bool differ, apart(both_a, both_b, depth + 1));
    if (differ) return true;
  }
  return false;
}

Result<bool> SchemaCompiler::apart(const Conjunction& left, const Conjunction& right, int depth) {
  QUIRE_TRY(work());
  if (left.never || right.never) return true;
  if (depth > kMaxDepth) return false;
  for (const bool swap : {false, true}) {
    const Conjunction& one = swap ? right : left;
    const Conjunction& other = swap ? left : right;
    if (one.choices.empty()) continue;
    QUIRE_ASSIGN(const auto ways, branches(one));
    for (const Conjunction& way : ways) {
      QUIRE_ASSIGN(const bool differ, apart(way, other, depth + 1));
      if (!differ) return false;
    }
    return true;
  }
  const unsigned types = type_bits(left.all) & type_bits(right.all);
  if (types == 0) return true;
  for (const bool swap : {false, true}) {  // one of them has its values listed
    const Conjunction& one = swap ? right : left;
    const Conjunction& other = swap ? left : right;
    if (!has_values(one.all)) continue;
    for (const Json* value : allowed_values(one.all)) {
      QUIRE_ASSIGN(const bool fits, valid(*value, one));
      if (!fits) continue;
      QUIRE_ASSIGN(const bool shared, valid(*value, other));
      if (shared) return false;
    }
    return true;
  }
  if (types == kObjectType) return apart_objects(left.all, right.all, depth);
  if ((types & ~unsigned{kIntegerType | kNumberType}) == 0) {
    QUIRE_ASSIGN(const NumberRange a, number_range(left.all, false));
    QUIRE_ASSIGN(const NumberRange b, number_range(right.all, false));
    const auto below = [](const NumberRange& low, const NumberRange& high) {
      if (!low.high || !high.low) return false;
      const int order = compare(low.high->value, high.low->value);
      return order < 0 || (order == 0 && (low.high->exclusive || high.low->exclusive));
    };
    return below(a, b) || below(b, a);
  }
  if (types == kStringType) {
    QUIRE_ASSIGN(std::vector<Dfa> languages, string_languages(left.all));
    QUIRE_ASSIGN(const std::vector<Dfa> more, string_languages(right.all));
    languages.insert(languages.end(), more.begin(), more.end());
    if (languages.size() < 2) return false;
    Dfa both = languages.front();
    for (std::size_t i = 1; i < languages.size(); ++i) {
      QUIRE_ASSIGN(both, intersect(both, languages[i], grammar_.limits()));
    }
    return both.empty();
  }
  return false;
}

}  // namespace quire::grammar
