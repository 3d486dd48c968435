#include "server/engine_worker.h"

#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/out_of_memory.h"
#include "quire/model_runner.h"

namespace quire::server {
namespace {

// Which of a format's markers the tokenizer has as tokens.
void find_tool_markers(const Tokenizer* tokenizer, ModelFacts* facts) {
  if (tokenizer == nullptr) return;
  for (const std::string& text : tool_calls::marker_texts(facts->tool_format)) {
    const auto id = tokenizer->id_of(text);
    if (id && tokenizer->is_special(*id)) facts->special_tool_markers = true;
  }
  for (const std::string& text : tool_calls::syntax_of(facts->tool_format).closers) {
    const auto id = tokenizer->id_of(text);
    // A tag; the end of a fence ends other things as well.
    if (id && *id < facts->vocab_size && text.front() == '<') facts->tool_closer_ids.push_back(*id);
  }
}

ModelFacts facts_of(Llm* llm) {
  const ModelSpec& spec = llm->runner().spec();
  ModelFacts facts{.encoder = llm->encoder(),
                   .reasoning = find_reasoning_markers(llm->tokenizer()),
                   .defaults = llm->recommended_params(),
                   .default_max_tokens = llm->recommended_max_tokens(),
                   .vocab_size = spec.vocab_size,
                   .max_seq_len = spec.max_seq_len,
                   .block_size = spec.block_size,
                   .cache_tokens = std::int64_t{llm->stats().num_blocks} * spec.block_size};
  facts.tool_format = tool_calls::format_of_name(facts.encoder.tool_support().format)
                          .value_or(tool_calls::Format::kNone);
  find_tool_markers(llm->tokenizer(), &facts);
  return facts;
}

RequestOutput failed(std::uint64_t ticket, Status error) {
  RequestOutput output;
  output.request_id = ticket;
  output.error = std::move(error);
  return output;
}

}  // namespace

EngineWorker::EngineWorker(std::string name, Post post, const Limits& limits)
    : name_(std::move(name)), post_(std::move(post)), limits_(limits) {}

EngineWorker::~EngineWorker() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void EngineWorker::start(Open open, std::function<void(Status)> on_loaded) {
  thread_ = std::thread(
      [this, open = std::move(open), on_loaded = std::move(on_loaded)] { run(open, on_loaded); });
}

std::optional<Reservation> EngineWorker::reserve(int count) {
  int taken = taken_->load();
  do {
    if (count > limits_.max_sequences - taken) return std::nullopt;
  } while (!taken_->compare_exchange_weak(taken, taken + count));
  return Reservation(taken_, count);
}

std::uint64_t EngineWorker::submit(GenerateRequest request,
                                   std::vector<TokenId> ids,
                                   std::shared_ptr<AnswerSink> sink) {
  const std::uint64_t ticket = next_ticket_++;
  sinks_.emplace(ticket, std::move(sink));
  {
    const std::lock_guard lock(mutex_);
    commands_.push_back({.ticket = ticket,
                         .request = std::move(request),
                         .ids = std::move(ids),
                         .on_snapshot = {}});
  }
  changed_.notify_one();
  return ticket;
}

void EngineWorker::cancel(std::uint64_t ticket) {
  if (sinks_.erase(ticket) == 0) return;
  {
    const std::lock_guard lock(mutex_);
    commands_.push_back({.ticket = ticket, .request = {}, .ids = {}, .on_snapshot = {}});
  }
  changed_.notify_one();
}

void EngineWorker::snapshot(std::int64_t after_step, OnSnapshot on_snapshot) {
  {
    const std::lock_guard lock(mutex_);
    commands_.push_back({.request = {},
                         .ids = {},
                         .on_snapshot = std::move(on_snapshot),
                         .after_step = after_step});
  }
  changed_.notify_one();
}

EngineStats EngineWorker::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void EngineWorker::run(const Open& open, const std::function<void(Status)>& on_loaded) {
  std::optional<Llm> llm;
  const auto load = [&]() -> Status {
    QUIRE_ASSIGN(llm, open());
    note_stats(llm->stats());
    return ok_status();
  };
  const Status first = load();
  if (llm) facts_ = facts_of(&*llm);
  post_([on_loaded, first] { on_loaded(first); });
  if (!llm) return;
  while (serve(&*llm) == Work::kIdle) {
    llm.reset();
    note_unloaded();
    while (!llm) {
      if (!await_request()) return;
      const Status again = load();
      if (again.ok()) continue;
      post_([on_loaded, again] { on_loaded(again); });
      // Where the package lies is nothing for a client.
      refuse_all(internal_error("the model " + name_ + " cannot be opened again"));
    }
  }
}

// Serves until there is nothing left to do for long, or for good.
EngineWorker::Work EngineWorker::serve(Llm* llm) {
  while (true) {
    // Out of memory between two steps: nobody knows what was lost, so everybody is told.
    try {
      return loop(llm);
    } catch (const std::bad_alloc&) {
      for (const auto& [number, ticket] : ticket_of_) llm->cancel(number);
      ticket_of_.clear();
      number_of_.clear();
      post_([this] { fail_all(resource_exhausted("out of memory")); });
    }
  }
}

EngineWorker::Work EngineWorker::loop(Llm* llm) {
  std::vector<Command> commands;
  while (true) {
    const Work work = take_commands(!llm->has_unfinished(), &commands);
    if (work != Work::kCommands) return work;
    std::vector<RequestOutput> refused;
    for (Command& command : commands) obey(std::move(command), llm, &refused);
    commands.clear();
    StepOutput news = llm->step();
    name_by_ticket(&news);
    for (RequestOutput& output : refused) news.finished.push_back(std::move(output));
    note_stats(llm->stats());
    tell(std::move(news));
  }
}

// While the model is unloaded: waits for a request and leaves it in the queue; false when the
// worker is to end. Whoever only looks does not bring the model back.
bool EngineWorker::await_request() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !commands_.empty(); });
    if (stopping_) return false;
    for (Command& command : commands_) {
      if (command.on_snapshot) answer_snapshot(std::exchange(command, {}), nullptr);
    }
    std::erase_if(commands_, [](const Command& command) { return !command.request; });
    if (!commands_.empty()) return true;
  }
}

// The model cannot be opened again: who waits for it is told, and the next request tries once more.
void EngineWorker::refuse_all(const Status& status) {
  StepOutput news;
  {
    const std::lock_guard lock(mutex_);
    for (const Command& command : commands_) {
      if (command.request) news.finished.push_back(failed(command.ticket, status));
    }
    commands_.clear();
  }
  tell(std::move(news));
}

void EngineWorker::note_stats(const EngineStats& stats) {
  const std::lock_guard lock(mutex_);
  stats_ = stats;
  stats_.num_steps += before_.num_steps;
  stats_.num_prompt_tokens += before_.num_prompt_tokens;
  stats_.num_generated_tokens += before_.num_generated_tokens;
  stats_.num_preemptions += before_.num_preemptions;
  stats_.num_prefix_lookup_tokens += before_.num_prefix_lookup_tokens;
  stats_.num_prefix_hit_tokens += before_.num_prefix_hit_tokens;
  stats_.num_draft_tokens += before_.num_draft_tokens;
  stats_.num_accepted_tokens += before_.num_accepted_tokens;
}

void EngineWorker::note_unloaded() {
  const std::lock_guard lock(mutex_);
  before_ = stats_;
  stats_.num_running = stats_.num_waiting = stats_.num_blocks = stats_.num_used_blocks = 0;
}

// Waits for commands when told to, and no longer than an idle model is kept.
EngineWorker::Work EngineWorker::take_commands(bool wait, std::vector<Command>* commands) {
  std::unique_lock lock(mutex_);
  const auto is_due = [this] { return stopping_ || !commands_.empty(); };
  if (wait && limits_.idle_timeout.count() == 0) {
    changed_.wait(lock, is_due);
  } else if (wait && !changed_.wait_for(lock, limits_.idle_timeout, is_due)) {
    return Work::kIdle;
  }
  std::swap(*commands, commands_);
  return stopping_ ? Work::kStop : Work::kCommands;
}

// `llm` is null while the model is unloaded.
void EngineWorker::answer_snapshot(Command command, Llm* llm) {
  // Shared: a std::function must be copyable. Empty where there is no memory for it, which no
  // request should suffer for.
  auto shared = std::make_shared<EngineSnapshot>();
  static_cast<void>(fail_if_out_of_memory([&] {
    if (llm != nullptr) *shared = llm->snapshot(command.after_step);
    return ok_status();
  }));
  post_([shared, hear = std::move(command.on_snapshot)] { hear(*shared); });
}

void EngineWorker::obey(Command command, Llm* llm, std::vector<RequestOutput>* refused) {
  if (command.on_snapshot) {
    answer_snapshot(std::move(command), llm);
    return;
  }
  if (!command.request) {
    const auto number = number_of_.find(command.ticket);
    if (number == number_of_.end()) return;  // it has ended in the meantime
    llm->cancel(number->second);
    return;
  }
  const Result<std::uint64_t> number =
      llm->submit(*std::move(command.request), std::move(command.ids));
  if (!number) {
    refused->push_back(failed(command.ticket, number.error()));
    return;
  }
  ticket_of_[*number] = command.ticket;
  number_of_[command.ticket] = *number;
}

// Puts tickets in place of the engine's numbers.
void EngineWorker::name_by_ticket(StepOutput* news) {
  for (TextDelta& delta : news->deltas) {
    const auto found = ticket_of_.find(delta.request_id);
    delta.request_id = found == ticket_of_.end() ? 0 : found->second;
  }
  for (RequestOutput& output : news->finished) {
    const auto found = ticket_of_.find(output.request_id);
    if (found == ticket_of_.end()) continue;
    output.request_id = found->second;
    number_of_.erase(found->second);
    ticket_of_.erase(found);
  }
}

void EngineWorker::tell(StepOutput news) {
  if (news.deltas.empty() && news.finished.empty()) return;
  // Shared: a std::function must be copyable, and copying the news would cost.
  auto shared = std::make_shared<StepOutput>(std::move(news));
  post_([this, shared] { hear(std::move(*shared)); });
}

void EngineWorker::hear(StepOutput news) {
  for (const TextDelta& delta : news.deltas) {
    const auto sink = sinks_.find(delta.request_id);
    if (sink == sinks_.end()) continue;
    // Held: a sink that gives up on its client takes itself out.
    const std::shared_ptr<AnswerSink> held = sink->second;
    held->on_delta(delta);
  }
  for (RequestOutput& output : news.finished) {
    const auto sink = sinks_.find(output.request_id);
    if (sink == sinks_.end()) continue;
    const std::shared_ptr<AnswerSink> held = std::move(sink->second);
    sinks_.erase(sink);
    held->on_finished(std::move(output));
  }
}

void EngineWorker::fail_all(const Status& status) {
  const auto sinks = std::exchange(sinks_, {});
  for (const auto& [ticket, sink] : sinks) sink->on_finished(failed(ticket, status));
}

}  // namespace quire::server
