#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "chat/value.h"

namespace quire::chat {

struct Expr;
struct Stmt;
using ExprPtr = std::unique_ptr<Expr>;
using Block = std::vector<std::unique_ptr<Stmt>>;

struct Keyword {
  std::string name;
  ExprPtr value;
};

// Arguments of a call, filter or test.
struct Arguments {
  std::vector<ExprPtr> positional;
  std::vector<Keyword> keywords;
  ExprPtr list{};  // *list, may be null
  ExprPtr dict{};  // **dict, may be null
};

// An expression. Which members are in use depends on the kind, as noted there.
struct Expr {
  enum class Kind {
    kLiteral,      // value
    kName,         // name
    kList,         // parts
    kTuple,        // parts
    kDict,         // parts: key, value, key, value ...
    kAttribute,    // parts[0].name
    kSubscript,    // parts[0][parts[1]]
    kSlice,        // parts[0][parts[1]:parts[2]:parts[3]], the last three may be null
    kCall,         // parts[0](arguments)
    kFilter,       // parts[0] | name(arguments)
    kTest,         // parts[0] is name(arguments)
    kNot,          // not parts[0]
    kNegate,       // -parts[0]
    kPlus,         // +parts[0]
    kArithmetic,   // parts[0] operators[0] parts[1] operators[1] ..., from left to right
    kConcat,       // parts joined by ~
    kCompare,      // parts[0] operators[0] parts[1] ..., as a chain of comparisons
    kAnd,          // parts
    kOr,           // parts
    kConditional,  // parts[1] if parts[0] else parts[2]; the last may be null
  };
  Kind kind = Kind::kLiteral;
  int line = 1;
  int height = 1;  // longest way down to a leaf: how deep evaluation recurses
  Value value;
  std::string name;
  std::vector<ExprPtr> parts;
  std::vector<std::string> operators;
  Arguments arguments;
};

// What `set` and `for` assign to: a name, an attribute of a namespace, or several targets.
struct Target {
  std::string name;
  std::string attribute;  // name.attribute when not empty
  bool is_tuple = false;
  std::vector<Target> parts{};  // of a tuple
};

struct Parameter {
  std::string name;
  ExprPtr fallback;  // may be null
};

// A filter applied to a whole block of text.
struct BlockFilter {
  std::string name;
  Arguments arguments;
};

// A statement. Which members are in use depends on the kind, as noted there.
struct Stmt {
  enum class Kind {
    kText,         // text
    kOutput,       // expr
    kIf,           // branches, otherwise
    kFor,          // target, expr, condition, body, otherwise
    kSet,          // target, expr
    kSetBlock,     // target, body, filters
    kMacro,        // name, parameters, body
    kCallBlock,    // expr (a call), parameters and body of caller()
    kFilterBlock,  // filters, body
    kWith,         // bindings, body
    kScope,        // body, in a scope of its own
    kBreak,
    kContinue,
  };
  Kind kind = Kind::kText;
  int line = 1;
  Text text;
  ExprPtr expr;
  ExprPtr condition;
  Target target;
  std::string name;
  std::vector<Parameter> parameters;
  bool is_recursive = false;   // a loop that can be called
  bool takes_varargs = false;  // a macro that names varargs, for arguments beyond its parameters
  bool takes_kwargs = false;   // and kwargs
  std::vector<BlockFilter> filters;
  std::vector<std::pair<ExprPtr, Block>> branches;
  std::vector<std::pair<std::string, ExprPtr>> bindings;
  Block body;
  Block otherwise;
};

}  // namespace quire::chat
