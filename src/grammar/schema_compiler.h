#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grammar/dfa.h"
#include "grammar/expression.h"
#include "grammar/json_number.h"
#include "grammar/json_text.h"
#include "quire/result.h"

namespace quire::grammar {

// A schema and where it stands: "#/properties/age".
struct SchemaRef {
  const Json* json = nullptr;
  std::string path;

  const Json* find(const char* keyword) const {
    if (!json->is_object()) return nullptr;
    const auto found = json->find(keyword);
    return found == json->end() ? nullptr : &*found;
  }
  SchemaRef below(const char* keyword) const { return {&(*json)[keyword], path + "/" + keyword}; }
  SchemaRef below(const char* keyword, const std::string& key) const {
    return {&(*json)[keyword][key], path + "/" + keyword + "/" + key};
  }
  SchemaRef item(const char* keyword, std::size_t at) const {
    return {&(*json)[keyword][at], path + "/" + keyword + "/" + std::to_string(at)};
  }
};

// Schemas that hold all at once, with references and allOf followed; and those of which one of each
// list must hold, too.
struct Conjunction {
  struct Choice {
    SchemaRef owner;
    const char* keyword;  // anyOf or oneOf
  };
  std::vector<SchemaRef> all;
  std::vector<Choice> choices;
  bool never = false;
};

// The JSON types, as bits. A number that is no integer is kNumber alone.
enum TypeBits : std::uint8_t {
  kNullType = 1,
  kBooleanType = 2,
  kIntegerType = 4,
  kNumberType = 8,
  kStringType = 16,
  kArrayType = 32,
  kObjectType = 64,
  kAllTypes = 127,
};

// Refuses keywords that are not enforced and values that a keyword cannot have.
Status check_keywords(const SchemaRef& schema);

// Makes the grammar of a schema.
class SchemaCompiler {
 public:
  SchemaCompiler(const Json& root, Grammar* grammar)
      : root_{&root, "#"}, grammar_(*grammar), text_(grammar) {}

  Result<ExprId> run() { return compile({root_}); }

 private:
  using Refs = std::vector<SchemaRef>;
  // Keys of an object that no schema names, and what their values must be.
  struct OtherKeys {
    std::shared_ptr<const Dfa> keys;  // null: all
    Refs values;
  };
  struct Property {
    std::string name;
    ExprId value = 0;
    bool required = false;
  };
  struct ObjectShape {
    std::vector<Property> properties;
    ExprId other = 0;  // a member of any other key; kNever: there is none
    int min = 0;
    int max = -1;
    std::map<std::pair<std::size_t, int>, RuleId> rest;  // by next property and members so far
    std::map<std::pair<std::size_t, int>, RuleId> keys;
    bool too_many = false;  // members that would have to differ in ways that are not followed
  };

  Result<Conjunction> flatten(const Refs& refs);
  Status flatten_into(const SchemaRef& ref, std::vector<const Json*>* open, Conjunction* out);
  Result<SchemaRef> resolve(const SchemaRef& owner);
  Result<ExprId> compile(const Refs& refs);
  Result<ExprId> compile(const Conjunction& all);
  Result<ExprId> compile_body(const Conjunction& all);
  Result<ExprId> compile_choice(const Conjunction& all);
  Result<std::vector<Conjunction>> branches(const Conjunction& all);
  Result<ExprId> compile_types(const Refs& all);
  Result<ExprId> compile_type(TypeBits type, const Refs& all);
  Status work();

  // Whether no value can be of both; not certain: false.
  Result<bool> apart(const Conjunction& left, const Conjunction& right, int depth);
  Result<bool> apart_objects(const Refs& left, const Refs& right, int depth);

  Result<ExprId> compile_values(const Refs& all);
  Result<bool> valid(const Json& value, const Refs& refs);
  Result<bool> valid(const Json& value, const Conjunction& all);
  Result<bool> valid_string(const std::string& value, const Refs& all);
  Result<bool> valid_object(const Json& value, const Refs& all);
  Result<bool> valid_array(const Json& value, const Refs& all);

  Result<ExprId> compile_number(const Refs& all, bool integer);
  Result<NumberRange> number_range(const Refs& all, bool integer);
  Result<ExprId> compile_string(const Refs& all);
  Result<std::vector<Dfa>> string_languages(const Refs& all);

  Result<ExprId> compile_object(const Refs& all);
  Result<Refs> value_schemas(const std::string& key, const Refs& all);
  Result<ExprId> compile_others(const Refs& all, const std::vector<std::string>& names);
  Result<std::vector<OtherKeys>> split_others(const Refs& all,
                                              const std::vector<std::string>& names);
  ExprId members(ObjectShape* shape);
  ExprId rest(std::size_t at, int count, ObjectShape* shape);
  ExprId keys(std::size_t at, int count, ObjectShape* shape);
  Result<Dfa> pattern(const std::string& pattern, const std::string& path);

  Result<ExprId> compile_array(const Refs& all);
  Refs item_schemas(std::size_t at, const Refs& all);

  SchemaRef root_;
  Grammar& grammar_;
  JsonText text_;
  std::map<std::vector<const void*>, RuleId> rules_;
  std::size_t work_ = 0;
};

// The bits of a schema's type and nullable; all without.
std::uint8_t type_bits(const SchemaRef& schema);
std::uint8_t type_bits(const std::vector<SchemaRef>& all);
std::uint8_t type_bits_of_value(const Json& value);
// The keyword's number in the schemas, the largest or the smallest; `otherwise` without.
int largest_count(const std::vector<SchemaRef>& all, const char* keyword, int otherwise);
int smallest_count(const std::vector<SchemaRef>& all, const char* keyword, int otherwise);
// Whether two values are the same for JSON Schema, where 1 is 1.0.
bool same_value(const Json& a, const Json& b);
// The first enum or const's values that all the others have.
std::vector<const Json*> allowed_values(const std::vector<SchemaRef>& all);
bool has_values(const std::vector<SchemaRef>& all);

}  // namespace quire::grammar
