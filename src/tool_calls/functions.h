#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "quire/result.h"

namespace quire::tool_calls {

// A function that a model may call, as far as reading its calls takes.
struct Function {
  std::string name;
  // Of each parameter the types that its schema names, for formats that write values as plain text;
  // empty where it names none.
  std::map<std::string, std::vector<std::string>, std::less<>> types;
  std::string only_text;        // the one parameter there is, if that is a text; else empty
  std::string parameters_json;  // its schema, an object; empty where none is given
};

class FunctionList {
 public:
  // Of a request's `tools`, a JSON array in OpenAI's form; entries of another form are left out.
  static Result<FunctionList> parse(std::string_view tools_json);

  const Function* find(std::string_view name) const;
  const std::vector<Function>& all() const { return functions_; }

 private:
  std::vector<Function> functions_;
};

}  // namespace quire::tool_calls
