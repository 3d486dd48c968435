#include "grammar/json_schema.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "grammar/schema_compiler.h"

namespace quire::grammar {
namespace {

// A key of a JSON pointer in a URI: ~1 is /, ~0 is ~, %41 is A.
std::string unescape(std::string_view token) {
  std::string key;
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (token[i] == '%' && i + 2 < token.size()) {
      const auto value = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
      key += static_cast<char>(value(token[i + 1]) * 16 + value(token[i + 2]));
      i += 2;
    } else if (token[i] == '~' && i + 1 < token.size()) {
      key += token[++i] == '1' ? '/' : '~';
    } else {
      key += token[i];
    }
  }
  return key;
}

}  // namespace

Status SchemaCompiler::work() {
  QUIRE_TRY(grammar_.full());
  if (++work_ <= grammar_.limits().schema_work) return ok_status();
  return invalid_argument("the schema is too complex: more than " +
                          std::to_string(grammar_.limits().schema_work) +
                          " combinations of its parts; use fewer anyOf beside one another");
}

Result<SchemaRef> SchemaCompiler::resolve(const SchemaRef& owner) {
  const std::string& ref = owner.find("$ref")->get_ref<const std::string&>();
  const auto refused = [&](std::string_view why) {
    return invalid_argument("the schema's keyword \"$ref\" at " + owner.path.substr(0, 300) + " " +
                            std::string(why) + ": " + ref.substr(0, 100));
  };
  std::string_view pointer = ref;
  if (const Json* id = root_.find("$id"); id != nullptr && id->is_string()) {
    const auto& base = id->get_ref<const std::string&>();
    if (!base.empty() && pointer.starts_with(base)) pointer.remove_prefix(base.size());
  }
  if (!pointer.empty() && !pointer.starts_with('#')) {
    return refused("must point into the schema itself (#/...)");
  }
  if (!pointer.empty()) pointer.remove_prefix(1);
  const Json* at = root_.json;
  if (!pointer.empty() && !pointer.starts_with('/')) {
    return refused("must point into the schema itself (#/...)");
  }
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const auto end = std::min(pointer.find('/'), pointer.size());
    const std::string key = unescape(pointer.substr(0, end));
    pointer.remove_prefix(end);
    if (at->is_object() && at->contains(key)) {
      at = &(*at)[key];
      continue;
    }
    const bool index = at->is_array() && !key.empty() && key.size() < 6 &&
                       key.find_first_not_of("0123456789") == std::string::npos;
    if (!index || std::stoul(key) >= at->size()) return refused("points nowhere");
    at = &(*at)[std::stoul(key)];
  }
  return SchemaRef{at, ref.empty() ? "#" : ref};
}

Status SchemaCompiler::flatten_into(const SchemaRef& ref,
                                    std::vector<const Json*>* open,
                                    Conjunction* out) {
  QUIRE_TRY(work());
  QUIRE_TRY(check_keywords(ref));
  if (ref.json->is_boolean()) {
    out->never = out->never || *ref.json == false;
    return ok_status();
  }
  if (std::ranges::find(*open, ref.json) != open->end()) {
    return invalid_argument("the schema at " + ref.path.substr(0, 300) +
                            " refers to itself without end");
  }
  const auto here = [&](const SchemaRef& other) { return other.json == ref.json; };
  if (std::ranges::any_of(out->all, here)) return ok_status();
  out->all.push_back(ref);
  open->push_back(ref.json);
  if (open->size() > 128) return invalid_argument("the schema's $ref and allOf go too deep");
  if (ref.find("$ref") != nullptr) {
    QUIRE_ASSIGN(const SchemaRef target, resolve(ref));
    QUIRE_TRY(flatten_into(target, open, out));
  }
  if (const Json* all = ref.find("allOf")) {
    for (std::size_t i = 0; i < all->size(); ++i) {
      QUIRE_TRY(flatten_into(ref.item("allOf", i), open, out));
    }
  }
  open->pop_back();
  for (const char* keyword : {"anyOf", "oneOf"}) {
    if (ref.find(keyword) != nullptr) out->choices.push_back({ref, keyword});
  }
  return ok_status();
}

Result<Conjunction> SchemaCompiler::flatten(const Refs& refs) {
  Conjunction all;
  std::vector<const Json*> open;
  for (const SchemaRef& ref : refs) QUIRE_TRY(flatten_into(ref, &open, &all));
  return all;
}

Result<ExprId> SchemaCompiler::compile(const Refs& refs) {
  QUIRE_ASSIGN(const Conjunction all, flatten(refs));
  return compile(all);
}

// A rule for each different conjunction, so that recursion comes back to where it was.
Result<ExprId> SchemaCompiler::compile(const Conjunction& all) {
  QUIRE_TRY(work());
  if (all.never) return grammar_.never();
  if (all.all.empty()) return text_.any_value();
  std::vector<const void*> key;
  for (const SchemaRef& ref : all.all) key.push_back(ref.json);
  std::ranges::sort(key);
  std::vector<const void*> open;
  for (const auto& choice : all.choices) open.push_back(choice.owner.find(choice.keyword));
  std::ranges::sort(open);
  key.push_back(nullptr);
  key.insert(key.end(), open.begin(), open.end());
  const auto [found, added] = rules_.try_emplace(std::move(key), 0);
  if (!added) return grammar_.rule(found->second);
  const RuleId rule = grammar_.add_rule(all.all.front().path);
  found->second = rule;
  if (rules_.size() > grammar_.limits().rules) QUIRE_TRY(grammar_.full());
  QUIRE_ASSIGN(const ExprId body, compile_body(all));
  grammar_.set_body(rule, body);
  return grammar_.rule(rule);
}

Result<ExprId> SchemaCompiler::compile_body(const Conjunction& all) {
  if (!all.choices.empty()) return compile_choice(all);
  if (has_values(all.all)) return compile_values(all.all);
  return compile_types(all.all);
}

// The conjunction with each branch of its last choice in place of the choice.
Result<std::vector<Conjunction>> SchemaCompiler::branches(const Conjunction& all) {
  Conjunction rest = all;
  const Conjunction::Choice choice = rest.choices.back();
  rest.choices.pop_back();
  std::vector<Conjunction> made;
  const std::size_t count = choice.owner.find(choice.keyword)->size();
  for (std::size_t i = 0; i < count; ++i) {
    Conjunction branch = rest;
    std::vector<const Json*> open;
    QUIRE_TRY(flatten_into(choice.owner.item(choice.keyword, i), &open, &branch));
    made.push_back(std::move(branch));
  }
  return made;
}

Result<ExprId> SchemaCompiler::compile_choice(const Conjunction& all) {
  const Conjunction::Choice choice = all.choices.back();
  QUIRE_ASSIGN(const std::vector<Conjunction> ways, branches(all));
  if (std::string_view(choice.keyword) == "oneOf") {
    for (std::size_t i = 0; i < ways.size(); ++i) {
      for (std::size_t j = i + 1; j < ways.size(); ++j) {
        QUIRE_ASSIGN(const bool exclusive, apart(ways[i], ways[j], 0));
        if (exclusive) continue;
        return invalid_argument("the schema's keyword \"oneOf\" at " +
                                choice.owner.path.substr(0, 300) +
                                " is not enforced: its schemas " + std::to_string(i) + " and " +
                                std::to_string(j) + " may hold both; use anyOf");
      }
    }
  }
  std::vector<ExprId> alternatives;
  for (const Conjunction& way : ways) {
    QUIRE_ASSIGN(const ExprId id, compile(way));
    alternatives.push_back(id);
  }
  return grammar_.alt(std::move(alternatives));
}

Result<ExprId> SchemaCompiler::compile_type(TypeBits type, const Refs& all) {
  switch (type) {
    case kNullType:
      return grammar_.bytes("null");
    case kBooleanType:
      return text_.boolean();
    case kIntegerType:
    case kNumberType:
      return compile_number(all, type == kIntegerType);
    case kStringType:
      return compile_string(all);
    case kArrayType:
      return compile_array(all);
    case kObjectType:
      return compile_object(all);
    case kAllTypes:
      break;
  }
  return grammar_.never();
}

Result<ExprId> SchemaCompiler::compile_types(const Refs& all) {
  unsigned types = type_bits(all);
  if ((types & kNumberType) != 0) types &= ~unsigned{kIntegerType};  // every integer is a number
  std::vector<ExprId> alternatives;
  for (unsigned bit = 1; bit < kAllTypes; bit <<= 1U) {
    if ((types & bit) == 0) continue;
    QUIRE_ASSIGN(const ExprId id, compile_type(static_cast<TypeBits>(bit), all));
    alternatives.push_back(id);
  }
  return grammar_.alt(std::move(alternatives));
}

Result<ExprId> json_schema_expression(std::string_view schema, Grammar* grammar) {
  const auto parsed = parse_json(schema, "the schema", 2 * grammar->limits().nesting);
  if (!parsed) return invalid_argument(parsed.error().message());
  // Once more for the order of properties, which is that of the answer.
  const Json json = Json::parse(schema, nullptr, false);
  if (json.is_discarded()) return invalid_argument("the schema is not JSON");
  return SchemaCompiler(json, grammar).run();
}

ExprId json_object_expression(Grammar* grammar) { return JsonText(grammar).any_object(); }

}  // namespace quire::grammar
