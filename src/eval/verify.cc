#include "eval/verify.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace quire {
namespace {

constexpr std::uint64_t kMaxGoldenBytes = std::uint64_t{256} << 20U;
constexpr std::size_t kMaxFailuresShown = 10;
constexpr std::int64_t kMaxId = std::numeric_limits<TokenId>::max();

class Verifier {
 public:
  Verifier(Llm* llm, std::string file) : llm_(llm), file_(std::move(file)) {}

  Result<VerifyReport> run(const JsonObject& golden);

 private:
  Status read_tolerance(const JsonObject& golden);
  Status check_prompt(const JsonObject& prompt);
  Status check_positions(const nlohmann::json& positions, std::size_t num_prompt);
  Status check_greedy(const JsonObject& prompt,
                      std::size_t num_prompt,
                      std::span<const TokenId> greedy);
  Status check_tokenizer_case(const JsonObject& entry);
  Status check_chat_case(const JsonObject& entry);
  void count_position(const std::string& where,
                      TokenId expected,
                      std::int64_t runner_up,
                      double gap,
                      std::size_t row);
  void fail(std::string why);
  void compare_logit(double recorded, float computed);
  void judge_totals();
  std::span<const float> row_at(std::size_t row) const;

  Llm* llm_;
  std::string file_;
  VerifyReport report_;
  double min_gap_ = 0;
  double sum_of_diffs_ = 0;
  std::int64_t num_diffs_ = 0;
  std::string prompt_name_;
  std::vector<float> logits_;
};

void Verifier::fail(std::string why) {
  if (report_.failures.size() < kMaxFailuresShown) report_.failures.push_back(std::move(why));
}

std::span<const float> Verifier::row_at(std::size_t row) const {
  const auto vocab = static_cast<std::size_t>(llm_->runner().spec().vocab_size);
  return std::span(logits_).subspan(row * vocab, vocab);
}

Status Verifier::read_tolerance(const JsonObject& golden) {
  QUIRE_ASSIGN(const JsonObject tolerance, golden.object("tolerance"));
  QUIRE_ASSIGN(report_.tolerated_logit_diff, tolerance.number("max_abs_logit_diff"));
  QUIRE_ASSIGN(min_gap_, tolerance.number("min_gap"));
  QUIRE_ASSIGN(report_.min_agreement, tolerance.number("min_top1_agreement"));
  report_.tolerated_mean_logit_diff = std::numeric_limits<double>::infinity();
  if (tolerance.has("mean_abs_logit_diff")) {
    QUIRE_ASSIGN(report_.tolerated_mean_logit_diff, tolerance.number("mean_abs_logit_diff"));
  }
  return ok_status();
}

Status Verifier::check_prompt(const JsonObject& prompt) {
  QUIRE_ASSIGN(prompt_name_, prompt.string("name"));
  const std::int64_t last_id = llm_->runner().spec().vocab_size - 1;
  QUIRE_ASSIGN(const auto ids, prompt.integers("ids", 0, last_id));
  QUIRE_ASSIGN(const JsonObject greedy, prompt.object("greedy"));
  QUIRE_ASSIGN(const auto greedy_ids, greedy.integers("ids", 0, last_id));
  QUIRE_ASSIGN(const nlohmann::json* positions, prompt.array("positions"));
  std::vector<TokenId> fed(ids.begin(), ids.end());
  // The oracle's own tokens are fed, so that one difference does not become many.
  if (!greedy_ids.empty()) fed.insert(fed.end(), greedy_ids.begin(), greedy_ids.end() - 1);
  auto logits = llm_->runner().forward(fed);
  if (!logits && logits.error().code() == StatusCode::kInvalidArgument) {
    return bad_model(file_ + ": prompt " + prompt_name_ + ": " + logits.error().message());
  }
  if (!logits) return logits.error().with_context(file_ + ": prompt " + prompt_name_);
  logits_ = *std::move(logits);
  if (positions->size() != ids.size()) {
    return bad_model(file_ + ": prompt " + prompt_name_ + " has " +
                     std::to_string(positions->size()) + " positions for " +
                     std::to_string(ids.size()) + " ids");
  }
  QUIRE_TRY(check_positions(*positions, ids.size()));
  const std::vector<TokenId> expected(greedy_ids.begin(), greedy_ids.end());
  return check_greedy(greedy, ids.size(), expected);
}

Status Verifier::check_positions(const nlohmann::json& positions, std::size_t num_prompt) {
  const int vocab = llm_->runner().spec().vocab_size;
  for (std::size_t i = 0; i < num_prompt; ++i) {
    QUIRE_ASSIGN(const JsonObject position, JsonObject::of(positions[i], file_ + ": a position"));
    QUIRE_ASSIGN(const auto ids, position.integers("top_ids", 0, vocab - 1));
    QUIRE_ASSIGN(const nlohmann::json* values, position.array("top_logits"));
    QUIRE_ASSIGN(const double gap, position.number("gap"));
    if (ids.size() != values->size() || ids.empty()) {
      return bad_model(file_ + ": a position has as many top_ids as top_logits, at least one");
    }
    for (std::size_t k = 0; k < ids.size(); ++k) {
      if (!(*values)[k].is_number()) return bad_model(file_ + ": top_logits must be numbers");
      compare_logit((*values)[k].get<double>(), row_at(i)[static_cast<std::size_t>(ids[k])]);
    }
    count_position("position " + std::to_string(i),
                   static_cast<TokenId>(ids[0]),
                   ids.size() > 1 ? ids[1] : -1,
                   gap,
                   i);
  }
  return ok_status();
}

// A NaN counts as the largest difference there is.
void Verifier::compare_logit(double recorded, float computed) {
  const double exact = std::abs(recorded - static_cast<double>(computed));
  const double difference = std::isnan(exact) ? std::numeric_limits<double>::infinity() : exact;
  report_.max_logit_diff = std::max(report_.max_logit_diff, difference);
  sum_of_diffs_ += difference;
  ++num_diffs_;
}

Status Verifier::check_greedy(const JsonObject& greedy,
                              std::size_t num_prompt,
                              std::span<const TokenId> expected) {
  QUIRE_ASSIGN(const nlohmann::json* gaps, greedy.array("gaps"));
  if (gaps->size() != expected.size()) {
    return bad_model(file_ + ": greedy has as many gaps as ids");
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (!(*gaps)[i].is_number()) return bad_model(file_ + ": gaps must be numbers");
    count_position("greedy token " + std::to_string(i),
                   expected[i],
                   -1,
                   (*gaps)[i].get<double>(),
                   num_prompt - 1 + i);
  }
  return ok_status();
}

void Verifier::count_position(const std::string& where,
                              TokenId expected,
                              std::int64_t runner_up,
                              double gap,
                              std::size_t row) {
  const auto logits = row_at(row);
  const auto best = static_cast<TokenId>(std::ranges::max_element(logits) - logits.begin());
  ++report_.num_positions;
  if (best == expected) ++report_.num_agreeing;
  if (gap <= min_gap_) ++report_.num_near_ties;
  const bool excused = gap <= min_gap_ && (runner_up < 0 || best == runner_up);
  if (best == expected || excused) return;
  fail("prompt " + prompt_name_ + ", " + where + ": the best token is " + std::to_string(best) +
       ", the source model's is " + std::to_string(expected) + " by " + std::to_string(gap));
}

Status Verifier::check_tokenizer_case(const JsonObject& entry) {
  QUIRE_ASSIGN(const std::string text, entry.string("text"));
  QUIRE_ASSIGN(const bool special, entry.boolean("special"));
  QUIRE_ASSIGN(const auto expected, entry.integers("ids", 0, kMaxId));
  const Tokenizer& tokenizer = *llm_->tokenizer();
  const auto ids = special ? tokenizer.encode_special(text) : tokenizer.encode(text);
  ++report_.num_tokenizer_cases;
  if (!ids || !std::ranges::equal(*ids, expected)) {
    fail("the tokenizer splits \"" + text.substr(0, 60) + "\" in another way than the source's");
  }
  return ok_status();
}

Status Verifier::check_chat_case(const JsonObject& entry) {
  QUIRE_ASSIGN(const nlohmann::json* messages, entry.array("messages"));
  QUIRE_ASSIGN(const bool add_generation_prompt, entry.boolean("add_generation_prompt"));
  QUIRE_ASSIGN(const auto expected, entry.integers("ids", 0, kMaxId));
  if (!add_generation_prompt) return ok_status();  // the engine always asks for an answer
  std::vector<ChatMessage> conversation;
  for (const nlohmann::json& item : *messages) {
    QUIRE_ASSIGN(const JsonObject message, JsonObject::of(item, file_ + ": a message"));
    ChatMessage chat;
    QUIRE_ASSIGN(chat.role, message.string("role"));
    QUIRE_ASSIGN(chat.content, message.string("content"));
    conversation.push_back(std::move(chat));
  }
  const auto ids = llm_->tokenize(conversation);
  ++report_.num_chat_cases;
  if (!ids || !std::ranges::equal(*ids, expected)) {
    fail("the chat template renders golden conversation " + std::to_string(report_.num_chat_cases) +
         " in another way than the source's");
  }
  return ok_status();
}

// What only shows over all prompts together.
void Verifier::judge_totals() {
  if (report_.max_logit_diff > report_.tolerated_logit_diff) {
    fail("the largest logit difference is " + std::to_string(report_.max_logit_diff) +
         ", more than the package's " + std::to_string(report_.tolerated_logit_diff));
  }
  report_.mean_logit_diff =
      sum_of_diffs_ / static_cast<double>(std::max<std::int64_t>(num_diffs_, 1));
  if (report_.mean_logit_diff > report_.tolerated_mean_logit_diff) {
    fail("the mean logit difference is " + std::to_string(report_.mean_logit_diff) +
         ", more than the package's " + std::to_string(report_.tolerated_mean_logit_diff));
  }
  if (report_.num_agreeing < report_.min_agreement * report_.num_positions) {
    fail("the best token agrees at " + std::to_string(report_.num_agreeing) + " of " +
         std::to_string(report_.num_positions) + " positions only");
  }
}

Result<VerifyReport> Verifier::run(const JsonObject& golden) {
  QUIRE_TRY(read_tolerance(golden));
  QUIRE_ASSIGN(const nlohmann::json* prompts, golden.array("prompts"));
  for (const nlohmann::json& item : *prompts) {
    QUIRE_ASSIGN(const JsonObject prompt, JsonObject::of(item, file_ + ": a prompt"));
    QUIRE_TRY(check_prompt(prompt));
  }
  if (llm_->tokenizer() != nullptr && golden.has("tokenizer")) {
    QUIRE_ASSIGN(const nlohmann::json* cases, golden.array("tokenizer"));
    for (const nlohmann::json& item : *cases) {
      QUIRE_ASSIGN(const JsonObject entry, JsonObject::of(item, file_ + ": a tokenizer case"));
      QUIRE_TRY(check_tokenizer_case(entry));
    }
  }
  if (llm_->has_chat_template() && golden.has("chat")) {
    QUIRE_ASSIGN(const nlohmann::json* cases, golden.array("chat"));
    for (const nlohmann::json& item : *cases) {
      QUIRE_ASSIGN(const JsonObject entry, JsonObject::of(item, file_ + ": a chat case"));
      QUIRE_TRY(check_chat_case(entry));
    }
  }
  judge_totals();
  return std::move(report_);
}

Result<VerifyReport> verify_with_goldens(const std::filesystem::path& folder, Llm* llm) {
  const std::filesystem::path path = folder / "golden.json";
  QUIRE_ASSIGN(const nlohmann::json json, read_json_file(path, kMaxGoldenBytes));
  QUIRE_ASSIGN(const JsonObject golden, JsonObject::of(json, path.string()));
  return Verifier(llm, path.string()).run(golden);
}

}  // namespace

Result<VerifyReport> verify_package(const std::filesystem::path& folder, Llm* llm) {
  auto report = verify_with_goldens(folder, llm);
  if (report || report.error().code() != StatusCode::kBadModel) return report;
  return report.error().with_next_step("export or copy the package again");
}

}  // namespace quire
