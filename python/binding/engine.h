#pragma once

#include <nanobind/nanobind.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "quire/llm.h"
#include "tokenizer.h"

namespace quire::python {

// An Llm for Python's threads: one at a time works on it, and the others may run Python meanwhile.
// A process that was forked after it was opened has none of its threads and may not use it.
class PyEngine {
 public:
  // `options`: fields of EngineOptions by their names; others are refused.
  PyEngine(const std::string& package, const nanobind::dict& options);
  ~PyEngine();
  PyEngine(const PyEngine&) = delete;
  PyEngine& operator=(const PyEngine&) = delete;

  // Queues what a line of a prompt file (docs/guide.md) asks for, a plain prompt as the text it is:
  // (the request's number, the ids of its prompt).
  nanobind::tuple submit(const std::string& json);
  // One step: appends what it brought, tuples as in outputs.h, to two objects of Python's that have
  // append(); no deltas are made unless they are wanted.
  void step(bool wants_deltas, const nanobind::object& deltas, const nanobind::object& finished);
  bool cancel(std::uint64_t request_id);
  bool has_unfinished();
  nanobind::dict stats();
  nanobind::dict spec();
  // Fields of SamplingParams that the package recommends.
  nanobind::dict recommended();
  // Logits of every position, float32 [ids, vocab]; kInvalidArgument while requests run.
  nanobind::object forward(const std::vector<TokenId>& ids);
  std::shared_ptr<PyTokenizer> tokenizer();
  bool has_tokenizer();
  // Gives the model's memory back; what is called afterwards fails.
  void close();

 private:
  // Does the work with the interpreter's lock released and this engine's held.
  template <typename Body>
  auto work(const Body& body);

  pid_t owner_;
  std::mutex mutex_;
  std::unique_ptr<Llm> llm_;  // null once closed
  // How often forward() has overwritten the cache: a part of every request's salt, so that no
  // block from before is found again.
  std::uint64_t num_overwrites_ = 0;
};

}  // namespace quire::python
