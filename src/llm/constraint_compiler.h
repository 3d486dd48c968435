#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <utility>

#include "grammar/constraint.h"
#include "quire/result.h"
#include "quire/structured_output.h"
#include "quire/tokenizer.h"

namespace quire {

// Makes constraints over a package's vocabulary, and keeps those made last, so that a schema that
// comes with every request is compiled once. Any thread; one compiles while others look up.
class ConstraintCompiler {
 public:
  // `tokenizer`, the same each time, may be null: then it fails with kInvalidArgument.
  Result<std::shared_ptr<const Constraint>> compile(const StructuredOutput& output,
                                                    const Tokenizer* tokenizer) const;

 private:
  using Entry = std::pair<StructuredOutput, std::shared_ptr<const Constraint>>;
  std::shared_ptr<const grammar::Vocabulary> vocabulary_of(const Tokenizer& tokenizer) const;
  std::shared_ptr<const Constraint> find(const StructuredOutput& output) const;
  void keep(const StructuredOutput& output, std::shared_ptr<const Constraint> constraint) const;

  mutable std::mutex mutex_;       // of what follows
  mutable std::list<Entry> kept_;  // the one used last first
  mutable std::once_flag read_;
  mutable std::shared_ptr<const grammar::Vocabulary> vocabulary_;
};

}  // namespace quire
