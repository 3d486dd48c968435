#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire {

// The two long parts of a tokenizer.json, cut out of it: a tree of JSON for a million strings takes
// seconds and gigabytes. Whatever is unusual in them gives nothing, and the file is to be read as a
// tree, which says what is wrong.
struct ModelText {
  std::string rest;         // the file with null in their places
  std::string_view vocab;   // an object of tokens and ids
  std::string_view merges;  // an array of pairs
};
std::optional<ModelText> cut_model_text(std::string_view json);

// The texts of a vocabulary by id, none of them longer than `longest`; ids are at most `last`.
std::optional<std::vector<std::string>> read_vocab_text(std::string_view vocab,
                                                        std::size_t longest,
                                                        std::size_t last);

// Goes through merges in order. A side is valid until the next call.
class MergeTextReader {
 public:
  explicit MergeTextReader(std::string_view merges) : text_(merges) {}

  // The next merge; nothing at the end and where something is unusual (then is_whole() is false).
  std::optional<std::pair<std::string_view, std::string_view>> next();
  [[nodiscard]] bool is_whole() const { return is_whole_; }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  bool begun_ = false;
  bool is_whole_ = false;
  std::string left_;
  std::string right_;
};

}  // namespace quire
