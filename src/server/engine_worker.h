#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "quire/llm.h"
#include "quire/result.h"
#include "reasoning/reasoning.h"
#include "tool_calls/format.h"

namespace quire::server {

// Hears of one request. On the I/O thread.
class AnswerSink {
 public:
  AnswerSink() = default;
  AnswerSink(const AnswerSink&) = delete;
  AnswerSink& operator=(const AnswerSink&) = delete;
  virtual ~AnswerSink() = default;
  virtual void on_delta(const TextDelta& delta) = 0;
  virtual void on_finished(RequestOutput output) = 0;  // nothing comes after it
};

// What is known of a model once it is loaded; does not change any more.
struct ModelFacts {
  PromptEncoder encoder;
  std::optional<ReasoningMarkers> reasoning;                   // of a model that thinks
  tool_calls::Format tool_format = tool_calls::Format::kNone;  // of its calls
  bool special_tool_markers = false;  // which are left out of a text unless special tokens are kept
  std::vector<TokenId> tool_closer_ids;  // tokens that end a call
  SamplingParams defaults;
  std::optional<int> default_max_tokens;
  int vocab_size = 0;
  int max_seq_len = 0;
  int block_size = 0;
  std::int64_t cache_tokens = 0;
};

// Places in the queue of a model, given back when this is destroyed. Any thread; may outlive the
// model.
class Reservation {
 public:
  Reservation(std::shared_ptr<std::atomic<int>> taken, int count)
      : taken_(std::move(taken)), count_(count) {}
  Reservation(Reservation&&) noexcept = default;
  Reservation& operator=(Reservation&& other) noexcept {
    std::swap(taken_, other.taken_);
    std::swap(count_, other.count_);
    return *this;
  }
  ~Reservation() {
    if (taken_) taken_->fetch_sub(count_);
  }

 private:
  std::shared_ptr<std::atomic<int>> taken_;
  int count_;
};

// A model and the thread that alone steps it. A model without a request for a while may be unloaded
// and is opened again by the next; what is known of it stays. What it brings goes to the I/O
// thread, one message a step. Members are for the I/O thread unless marked otherwise.
class EngineWorker {
 public:
  using Open = std::function<Result<Llm>()>;
  using Post = std::function<void(std::function<void()>)>;

  struct Limits {
    int max_sequences = 0;                      // accepted and unfinished at a time
    std::chrono::milliseconds idle_timeout{0};  // without a request, then unloaded; 0: never
  };
  EngineWorker(std::string name, Post post, const Limits& limits);
  ~EngineWorker();  // ends its requests unanswered
  EngineWorker(const EngineWorker&) = delete;
  EngineWorker& operator=(const EngineWorker&) = delete;

  // Opens the model on the new thread; `on_loaded` hears on the I/O thread what came of it, and
  // again of each time that an unloaded model could not be opened.
  void start(Open open, std::function<void(Status)> on_loaded);

  const std::string& name() const { return name_; }  // any thread
  // Any thread, once loaded.
  const ModelFacts& facts() const { return *facts_; }
  // Places for `count` sequences; nothing when there are not as many. Any thread.
  std::optional<Reservation> reserve(int count);

  // Queues a request with the ids of its prompt; returns a ticket to cancel it by.
  std::uint64_t submit(GenerateRequest request,
                       std::vector<TokenId> ids,
                       std::shared_ptr<AnswerSink> sink);
  // The sink hears no more of it.
  void cancel(std::uint64_t ticket);
  // Copies the engine's books between two steps and calls back on the I/O thread; see
  // Llm::snapshot. Once loaded.
  using OnSnapshot = std::function<void(const EngineSnapshot&)>;
  void snapshot(std::int64_t after_step, OnSnapshot on_snapshot);
  // As of the last step; no blocks while unloaded. Any thread.
  EngineStats stats() const;

 private:
  struct Command {
    std::uint64_t ticket = 0;
    std::optional<GenerateRequest> request;  // none: cancel, or a snapshot
    std::vector<TokenId> ids;
    OnSnapshot on_snapshot;
    std::int64_t after_step = 0;
  };

  enum class Work { kCommands, kIdle, kStop };

  void run(const Open& open, const std::function<void(Status)>& on_loaded);
  Work serve(Llm* llm);
  Work loop(Llm* llm);
  bool await_request();
  void refuse_all(const Status& status);
  void note_stats(const EngineStats& stats);
  void note_unloaded();
  void answer_snapshot(Command command, Llm* llm);
  Work take_commands(bool wait, std::vector<Command>* commands);
  void obey(Command command, Llm* llm, std::vector<RequestOutput>* refused);
  void name_by_ticket(StepOutput* news);
  void tell(StepOutput news);
  void hear(StepOutput news);
  void fail_all(const Status& status);

  std::string name_;
  Post post_;
  Limits limits_;
  std::shared_ptr<std::atomic<int>> taken_ = std::make_shared<std::atomic<int>>(0);
  std::optional<ModelFacts> facts_;

  std::uint64_t next_ticket_ = 1;
  std::unordered_map<std::uint64_t, std::shared_ptr<AnswerSink>> sinks_;

  std::unordered_map<std::uint64_t, std::uint64_t>
      ticket_of_;  // by the engine's number; its thread
  std::unordered_map<std::uint64_t, std::uint64_t> number_of_;  // by ticket; likewise

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Command> commands_;
  EngineStats stats_;
  EngineStats before_;  // counters of the model's earlier lives; the engine's thread
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace quire::server
