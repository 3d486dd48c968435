#include "tool_calls/call_parser.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire::tool_calls {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

// Where the first of the texts begins, and how long it is; the end of `text` and 0 where none does.
std::pair<std::size_t, std::size_t> find_first(std::string_view text,
                                               const std::vector<std::string>& any) {
  std::size_t at = text.size();
  std::size_t length = 0;
  for (const std::string& each : any) {
    const std::size_t found = text.find(each);
    if (found >= at) continue;
    at = found;
    length = each.size();
  }
  return {at, length};
}

// Length of the longest end of `text` that one of the texts begins with, but not all of it.
std::size_t begun_at_end(std::string_view text, const std::vector<std::string>& any) {
  std::size_t longest = 0;
  for (const std::string& each : any) {
    std::size_t length = std::min(text.size(), each.size() - 1);
    while (length > longest &&
           !std::string_view(each).starts_with(text.substr(text.size() - length))) {
      --length;
    }
    longest = std::max(longest, length);
  }
  return longest;
}

enum class Match { kNo, kMaybe, kYes };

// Whether `text` begins with one of the texts, or may when there is more of it.
Match begins_with(std::string_view text, const std::vector<std::string>& any, std::size_t* length) {
  Match match = Match::kNo;
  for (const std::string& each : any) {
    if (text.starts_with(each)) {
      *length = each.size();
      return Match::kYes;
    }
    if (std::string_view(each).starts_with(text)) match = Match::kMaybe;
  }
  return match;
}

}  // namespace

CallParser::CallParser(Format format, const FunctionList* functions, const CallLimits& limits)
    : format_(format),
      syntax_(syntax_of(format)),
      functions_(functions),
      limits_(limits),
      state_(syntax_.bare ? State::kStart : State::kText) {}

Events CallParser::feed(std::string_view text) {
  Events out;
  held_ += text;
  while (step(/*last=*/false, &out)) continue;
  return out;
}

Events CallParser::finish() {
  Events out;
  while (step(/*last=*/true, &out)) continue;
  return out;
}

// Whether there may be more to do.
bool CallParser::step(bool last, Events* out) {
  switch (state_) {
    case State::kStart:
      return start(last);
    case State::kText:
      return text(last, out);
    case State::kInside:
      return reader_ ? inside(last, out) : pick_reader(last, out);
    case State::kBehind:
      return behind(last);
  }
  return false;
}

void CallParser::say(std::string text, Events* out) {
  if (text.empty()) return;
  said_ = true;
  if (!out->empty() && out->back().kind == Event::Kind::kContent) {
    out->back().text += text;
  } else {
    out->push_back({Event::Kind::kContent, std::move(text)});
  }
}

// What is held begins with blanks and an opener up to `opener_end`; behind it a call may come.
void CallParser::enter(std::size_t opener_end) {
  raw_ = held_.substr(0, opener_end);
  head_ = opener_end;
  held_.erase(0, opener_end);
  reader_.reset();
  state_ = State::kInside;
}

bool CallParser::start(bool last) {
  const std::size_t first = held_.find_first_not_of(kBlanks);
  if (first == std::string::npos && !last) return false;
  state_ = State::kText;
  const char c = first == std::string::npos ? '\0' : held_[first];
  if (c == '{' || c == '[') {
    in_block_ = true;
    enter(first);
  }
  return true;
}

bool CallParser::text(bool last, Events* out) {
  if (held_.empty()) return false;
  const bool may_call = num_broken_ < limits_.broken_calls;
  auto [at, length] = may_call ? find_first(held_, syntax_.openers) : std::pair(held_.size(), 0UL);
  const bool found = length > 0;
  if (!found && !last && may_call) at -= begun_at_end(held_, syntax_.openers);
  // Blanks wait for what follows: those before a call say nothing.
  std::size_t end = at;
  if (found || !last) {
    const std::size_t blank = std::string_view(held_).substr(0, at).find_last_not_of(kBlanks);
    end = blank == std::string_view::npos ? 0 : blank + 1;
  }
  say(held_.substr(0, end), out);
  held_.erase(0, end);
  if (found) {
    in_block_ = true;
    in_list_ = false;
    enter(at - end + length);
  }
  return found;
}

// Chooses by what stands behind the opener.
bool CallParser::pick_reader(bool last, Events* out) {
  if (format_ == Format::kNanochat) {
    reader_ = make_text_reader(functions_, syntax_.closers.front());
    return true;
  }
  const std::size_t first = held_.find_first_not_of(kBlanks);
  if (first == std::string::npos) return last ? give_up(out) : false;
  const std::string_view rest = std::string_view(held_).substr(first);
  std::size_t skipped = first;
  constexpr std::string_view kFunction = "<function=";
  const bool is_xml = format_ == Format::kQwenXml || format_ == Format::kHermes;
  const bool fenced = raw_.ends_with("```tool_code") || raw_.ends_with("```tool_call");
  if (raw_.ends_with(kFunction)) {
    reader_ = make_xml_reader(functions_);
  } else if (rest.front() == '[' && !in_list_ && format_ != Format::kFunctionGemma) {
    in_list_ = true;
    ++skipped;  // and on to what stands in it
  } else if (format_ == Format::kFunctionGemma) {
    reader_ = make_escape_reader(functions_);
  } else if (rest.front() == '{') {
    reader_ = make_object_reader(functions_);
  } else if (is_xml && rest.starts_with(kFunction)) {
    reader_ = make_xml_reader(functions_);
    skipped += kFunction.size();
  } else if (is_xml && kFunction.starts_with(rest) && !last) {
    return false;
  } else if (is_mistral(format_) && !in_list_) {
    reader_ = make_name_reader(functions_);
  } else if (format_ == Format::kGemma && fenced) {
    reader_ = make_python_reader(functions_);
  } else {
    return give_up(out);
  }
  raw_ += held_.substr(0, skipped);
  held_.erase(0, skipped);
  return true;
}

bool CallParser::inside(bool last, Events* out) {
  const std::size_t room = limits_.call_bytes - std::min(limits_.call_bytes, raw_.size());
  const std::string_view piece = std::string_view(held_).substr(0, room);
  std::size_t used = 0;
  Progress progress = piece.empty() ? Progress::kMore : reader_->read(piece, &used, out);
  if (progress == Progress::kMore) {
    raw_ += piece;
    held_.erase(0, piece.size());
    if (raw_.size() >= limits_.call_bytes) return give_up(out);
    if (!last) return false;
    used = 0;
    progress = reader_->finish(out);
  }
  if (progress == Progress::kWrong) return give_up(out);
  held_.erase(0, used);
  reader_.reset();
  raw_.clear();
  state_ = State::kBehind;
  return true;
}

// It is no call: its beginning is content, and the rest may have another call in it.
bool CallParser::give_up(Events* out) {
  if (reader_ && reader_->has_begun()) out->push_back({Event::Kind::kBroken, {}});
  reader_.reset();
  in_block_ = false;
  in_list_ = false;
  ++num_broken_;
  state_ = State::kText;
  held_.insert(0, raw_.substr(head_));
  say(raw_.substr(0, head_), out);
  raw_.clear();
  if (head_ == 0 || held_.empty()) return true;
  return true;
}

bool CallParser::behind(bool last) {
  const std::size_t first = held_.find_first_not_of(kBlanks);
  if (first == std::string::npos) {
    if (last) held_.clear();
    return false;
  }
  const std::string_view rest = std::string_view(held_).substr(first);
  std::size_t length = 0;
  const Match closer = begins_with(rest, syntax_.closers, &length);
  if (closer == Match::kYes) {
    held_.erase(0, first + length);
    in_block_ = false;
    return true;
  }
  const Match opener = begins_with(rest, syntax_.openers, &length);
  if (opener == Match::kYes) {
    in_block_ = true;
    in_list_ = false;
    enter(first + length);
    return true;
  }
  if (!last && (closer == Match::kMaybe || opener == Match::kMaybe)) return false;
  const char c = rest.front();
  if (c == ']' && in_list_) {
    in_list_ = false;
    held_.erase(0, first + 1);
    return true;
  }
  if (in_block_) {
    const bool separated = c == ',' || c == ';';
    const std::size_t next = held_.find_first_not_of(kBlanks, first + (separated ? 1 : 0));
    if (next == std::string::npos && !last) return false;
    if (next != std::string::npos && held_[next] == '{') {
      enter(next);
      return true;
    }
  }
  in_block_ = false;
  if (!said_) held_.erase(0, first);
  state_ = State::kText;
  return true;
}

Answer parse_answer(Format format, const FunctionList& functions, std::string_view text) {
  CallParser parser(format, &functions);
  Collector collector;
  collector.add(parser.feed(text));
  collector.add(parser.finish());
  return collector.answer();
}

}  // namespace quire::tool_calls
