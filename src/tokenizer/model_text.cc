#include "tokenizer/model_text.h"

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/utf8.h"

namespace quire {
namespace {

// Reads JSON from a place on. Each function moves on over what it is about and says whether it was
// there.
class Cursor {
 public:
  Cursor(std::string_view text, std::size_t at) : text_(text), at_(at) {}

  [[nodiscard]] std::size_t at() const { return at_; }
  // Where the next value begins, in files laid out for people too.
  std::size_t at_value() {
    skip_spaces();
    return at_;
  }

  bool take(char c) {
    skip_spaces();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool at_end() {
    skip_spaces();
    return at_ == text_.size();
  }

  // A string as it is written between its quotes.
  bool raw_string(std::string_view* raw, bool* has_escapes) {
    if (!take('"')) return false;
    const std::size_t begin = at_;
    *has_escapes = false;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') {
        *raw = text_.substr(begin, at_ - begin);
        ++at_;
        return true;
      }
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c == '\\') {
        *has_escapes = true;
        ++at_;
      }
    }
    return false;
  }

  // A string's value, which is UTF-8.
  bool string(std::string* out) {
    std::string_view raw;
    bool has_escapes = false;
    if (!raw_string(&raw, &has_escapes)) return false;
    out->clear();
    if (has_escapes) {
      if (!unescape(raw, out)) return false;
    } else {
      *out = raw;
    }
    return find_invalid_utf8(*out) == std::string_view::npos;
  }

  // The same without a copy where nothing is escaped; `space` holds the value otherwise.
  bool string_view(std::string* space, std::string_view* out) {
    bool has_escapes = false;
    if (!raw_string(out, &has_escapes)) return false;
    if (has_escapes) {
      space->clear();
      if (!unescape(*out, space)) return false;
      *out = *space;
    }
    return find_invalid_utf8(*out) == std::string_view::npos;
  }

  bool index(std::size_t* number) {
    skip_spaces();
    const char* const begin = text_.data() + at_;
    const char* const end = text_.data() + text_.size();
    const auto read = std::from_chars(begin, end, *number);
    if (read.ec != std::errc() || (*begin == '0' && read.ptr != begin + 1)) return false;
    at_ += static_cast<std::size_t>(read.ptr - begin);
    return at_ == text_.size() || (text_[at_] != '.' && text_[at_] != 'e' && text_[at_] != 'E');
  }

  // Any value, of which only strings and brackets are looked at.
  bool skip_value() {
    constexpr int kDeepest = 64;
    std::array<char, kDeepest> open = {};
    int depth = 0;
    bool has_escapes = false;
    std::string_view raw;
    do {
      skip_spaces();
      if (at_ >= text_.size()) return false;
      const char c = text_[at_];
      if (c == '"') {
        if (!raw_string(&raw, &has_escapes)) return false;
      } else if (c == '{' || c == '[') {
        if (depth == kDeepest) return false;
        open[static_cast<std::size_t>(depth++)] = c == '{' ? '}' : ']';
        ++at_;
      } else if (c == '}' || c == ']') {
        if (depth == 0 || open[static_cast<std::size_t>(--depth)] != c) return false;
        ++at_;
      } else if (depth > 0 && (c == ',' || c == ':')) {
        ++at_;
      } else if (!skip_scalar()) {
        return false;
      }
    } while (depth > 0);
    return true;
  }

 private:
  void skip_spaces() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) {
      ++at_;
    }
  }

  bool skip_scalar() {
    const std::size_t begin = at_;
    constexpr std::string_view kEnds = ",:]} \n\r\t\"[{";
    while (at_ < text_.size() && kEnds.find(text_[at_]) == std::string_view::npos) ++at_;
    return at_ > begin;
  }

  static bool read_unit(std::string_view raw, std::size_t at, std::uint32_t* unit) {
    if (raw.size() - at < 4) return false;
    const char* const begin = raw.data() + at;
    const auto read = std::from_chars(begin, begin + 4, *unit, 16);
    return read.ec == std::errc() && read.ptr == begin + 4;
  }

  static bool unescape(std::string_view raw, std::string* out) {
    constexpr std::string_view kSigns = "\"\\/bfnrt";
    constexpr std::string_view kMeaning = "\"\\/\b\f\n\r\t";
    for (std::size_t at = 0; at < raw.size(); ++at) {
      if (raw[at] != '\\') {
        out->push_back(raw[at]);
        continue;
      }
      if (++at >= raw.size()) return false;
      const std::size_t sign = kSigns.find(raw[at]);
      if (sign != std::string_view::npos) {
        out->push_back(kMeaning[sign]);
        continue;
      }
      std::uint32_t unit = 0;
      if (raw[at] != 'u' || !read_unit(raw, at + 1, &unit)) return false;
      at += 4;
      if (unit >= 0xD800 && unit < 0xE000) {
        std::uint32_t low = 0;
        const bool is_pair = unit < 0xDC00 && raw.substr(at + 1, 2) == "\\u" &&
                             read_unit(raw, at + 3, &low) && low >= 0xDC00 && low < 0xE000;
        if (!is_pair) return false;
        at += 6;
        unit = 0x10000 + ((unit - 0xD800) << 10U) + (low - 0xDC00);
      }
      append_utf8(unit, out);
    }
    return true;
  }

  std::string_view text_;
  std::size_t at_;
};

struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
};

// Goes through the members of an object; visit(key, cursor) moves over the value.
template <typename Visit>
bool visit_members(Cursor* cursor, Visit&& visit) {
  if (!cursor->take('{')) return false;
  if (cursor->take('}')) return true;
  std::string key;
  do {
    if (!cursor->string(&key) || !cursor->take(':') || !visit(key, cursor)) return false;
  } while (cursor->take(','));
  return cursor->take('}');
}

}  // namespace

std::optional<ModelText> cut_model_text(std::string_view json) {
  Range vocab;
  Range merges;
  const auto of_model = [&](const std::string& key, Cursor* cursor) {
    Range range{cursor->at_value(), 0};
    if (!cursor->skip_value()) return false;
    range.end = cursor->at();
    if (key == "vocab") vocab = range;
    if (key == "merges") merges = range;
    return true;
  };
  Cursor cursor(json, 0);
  const bool is_read = visit_members(&cursor, [&](const std::string& key, Cursor* place) {
    return key == "model" ? visit_members(place, of_model) : place->skip_value();
  });
  const bool has_both = vocab.end > vocab.begin && merges.end > merges.begin;
  if (!is_read || !cursor.at_end() || !has_both) return std::nullopt;
  ModelText out;
  out.vocab = json.substr(vocab.begin, vocab.end - vocab.begin);
  out.merges = json.substr(merges.begin, merges.end - merges.begin);
  const Range& first = vocab.begin < merges.begin ? vocab : merges;
  const Range& second = vocab.begin < merges.begin ? merges : vocab;
  out.rest = json.substr(0, first.begin);
  out.rest += "null";
  out.rest += json.substr(first.end, second.begin - first.end);
  out.rest += "null";
  out.rest += json.substr(second.end);
  return out;
}

std::optional<std::vector<std::string>> read_vocab_text(std::string_view vocab,
                                                        std::size_t longest,
                                                        std::size_t last) {
  std::vector<std::string> texts;
  texts.reserve(vocab.size() / 32);
  Cursor cursor(vocab, 0);
  const bool is_read = visit_members(&cursor, [&](std::string& text, Cursor* place) {
    std::size_t id = 0;
    if (!place->index(&id) || id > last || text.empty() || text.size() > longest) return false;
    if (id >= texts.size()) texts.resize(id + 1);
    if (!texts[id].empty()) return false;
    texts[id] = text;
    return true;
  });
  if (!is_read || !cursor.at_end()) return std::nullopt;
  return texts;
}

std::optional<std::pair<std::string_view, std::string_view>> MergeTextReader::next() {
  Cursor cursor(text_, at_);
  if (!begun_) {
    if (!cursor.take('[')) return std::nullopt;
  }
  if (cursor.take(']')) {
    is_whole_ = cursor.at_end();
    return std::nullopt;
  }
  if (begun_ && !cursor.take(',')) return std::nullopt;
  begun_ = true;
  if (cursor.take('[')) {
    const bool is_pair =
        cursor.string(&left_) && cursor.take(',') && cursor.string(&right_) && cursor.take(']');
    if (!is_pair) return std::nullopt;
    at_ = cursor.at();
    return std::pair<std::string_view, std::string_view>(left_, right_);
  }
  if (!cursor.string(&left_)) return std::nullopt;
  at_ = cursor.at();
  const std::string_view both = left_;
  const std::size_t space = both.find(' ');
  if (space == std::string_view::npos || both.find(' ', space + 1) != std::string_view::npos) {
    return std::nullopt;
  }
  return std::pair(both.substr(0, space), both.substr(space + 1));
}

}  // namespace quire
