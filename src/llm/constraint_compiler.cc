#include "llm/constraint_compiler.h"

#include <cstddef>
#include <string>
#include <vector>

namespace quire {
namespace {

constexpr std::size_t kMaxEntries = 64;
constexpr std::size_t kMaxNodes = 1'500'000;  // of all of them, about 64 MiB

std::shared_ptr<const grammar::Vocabulary> read_vocabulary(const Tokenizer& tokenizer) {
  const int size = tokenizer.vocab_size();
  std::vector<std::string> bytes(static_cast<std::size_t>(size));
  std::vector<std::string> leading(bytes.size());
  bool differs = false;
  for (TokenId id = 0; id < size; ++id) {
    // No text of an answer is made of these: what steers the model stays out of its constraint.
    if (tokenizer.is_control(id) || tokenizer.is_special(id)) continue;
    const auto at = static_cast<std::size_t>(id);
    bytes[at] = tokenizer.token_bytes(id);
    leading[at] = tokenizer.leading_token_bytes(id);
    differs = differs || bytes[at] != leading[at];
  }
  if (!differs) leading.clear();
  return std::make_shared<const grammar::Vocabulary>(std::move(bytes), std::move(leading), size);
}

}  // namespace

std::shared_ptr<const grammar::Vocabulary> ConstraintCompiler::vocabulary_of(
    const Tokenizer& tokenizer) const {
  std::call_once(read_, [&] { vocabulary_ = read_vocabulary(tokenizer); });
  return vocabulary_;
}

std::shared_ptr<const Constraint> ConstraintCompiler::find(const StructuredOutput& output) const {
  const std::lock_guard lock(mutex_);
  for (auto entry = kept_.begin(); entry != kept_.end(); ++entry) {
    if (entry->first != output) continue;
    kept_.splice(kept_.begin(), kept_, entry);
    return entry->second;
  }
  return nullptr;
}

void ConstraintCompiler::keep(const StructuredOutput& output,
                              std::shared_ptr<const Constraint> constraint) const {
  const std::lock_guard lock(mutex_);
  kept_.emplace_front(output, std::move(constraint));
  std::size_t count = 0;
  std::size_t nodes = 0;
  for (auto entry = kept_.begin(); entry != kept_.end();) {
    const auto here = entry++;
    nodes += here->second->program().nodes.size();
    if (++count > kMaxEntries || (nodes > kMaxNodes && count > 1)) kept_.erase(here);
  }
}

Result<std::shared_ptr<const Constraint>> ConstraintCompiler::compile(
    const StructuredOutput& output, const Tokenizer* tokenizer) const {
  if (tokenizer == nullptr) {
    return invalid_argument("structured output needs a tokenizer, and this package has none");
  }
  if (auto known = find(output)) return known;
  QUIRE_ASSIGN(auto constraint, grammar::compile_constraint(output, vocabulary_of(*tokenizer)));
  keep(output, constraint);
  return constraint;
}

}  // namespace quire
