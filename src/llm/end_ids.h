#pragma once

#include <string>
#include <vector>

#include "llm/package_parts.h"
#include "package/model_package.h"
#include "quire/tokenizer.h"
#include "quire/types.h"

namespace quire {

// An id that ends an answer, and where that is known from.
struct EndId {
  TokenId id = 0;
  std::string reason;
};

// Every id that a package has a reason to end an answer at: what model_info.json or a foreign
// folder's configuration and generation_config.json say; in a foreign folder, whose exporter may
// have named only one of several, also eos_token, control tokens by whose texts models end a turn,
// and what the chat template writes behind an answer. `tokenizer` and `chat` may be null.
std::vector<EndId> find_end_ids(const ModelPackage& package,
                                const GenerationDefaults& defaults,
                                const Tokenizer* tokenizer,
                                const ChatFormat* chat);

}  // namespace quire
