#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "quire/llm.h"
#include "quire/quire.h"
#include "wire/output_json.h"
#include "wire/prompt_json.h"

// What one call of quire_poll hands out.
struct PolledEvent {
  quire::TextDelta delta;
  bool finished = false;
  std::string error;
  std::string logprobs_json;
};

struct quire_llm {
  explicit quire_llm(quire::Llm opened) : llm(std::move(opened)) {}

  quire::Llm llm;
  std::deque<PolledEvent> events;
  PolledEvent current;  // keeps what the last quire_poll handed out alive
};

namespace {

using quire::Status;
using quire::StatusCode;

thread_local std::string last_error;  // quire_last_error() is per thread by contract

quire_status fail(const Status& status) {
  last_error = status.message();
  switch (status.code()) {
    case StatusCode::kInvalidArgument:
      return QUIRE_INVALID_ARGUMENT;
    case StatusCode::kBadModel:
      return QUIRE_BAD_MODEL;
    default:
      return QUIRE_FAILED;
  }
}

// Runs a body that returns a Status; nothing may be thrown into C.
template <typename Body>
quire_status guarded(const Body& body) {
  try {
    const Status status = body();
    if (!status.ok()) return fail(status);
    last_error.clear();
    return QUIRE_OK;
  } catch (const std::exception& error) {
    return fail(quire::internal_error(error.what()));
  }
}

quire::SamplingParams sampling_params(const quire_sampling_params* params) {
  const quire_sampling_params given = params != nullptr ? *params : quire_default_sampling_params();
  quire::SamplingParams converted{.max_tokens = given.max_tokens,
                                  .temperature = given.temperature,
                                  .top_k = given.top_k,
                                  .top_p = given.top_p,
                                  .min_p = given.min_p,
                                  .ignore_eos = given.ignore_eos != 0};
  if (given.has_seed != 0) converted.seed = given.seed;
  return converted;
}

// NULL is an empty prompt, which the engine refuses.
std::string text_or_empty(const char* text) { return text != nullptr ? text : ""; }

quire_status submit(quire_llm* llm,
                    quire::Prompt prompt,
                    const quire_sampling_params* params,
                    std::uint64_t* request_id) {
  return guarded([&]() -> Status {
    QUIRE_ASSIGN(*request_id,
                 llm->llm.submit({.prompt = std::move(prompt), .params = sampling_params(params)}));
    return quire::ok_status();
  });
}

// Of the last event of a request, and of the last piece of each of its answers.
const char* finish_reason(const PolledEvent& event) {
  const bool goes_on = !event.finished && event.delta.finish_reason == quire::FinishReason::kNone;
  return goes_on ? "" : quire::finish_reason_name(event.delta.finish_reason).data();
}

quire::EngineOptions engine_options(const quire_options* options) {
  const quire_options given = options != nullptr ? *options : quire_default_options();
  quire::EngineOptions converted{.num_threads = given.num_threads,
                                 .num_kv_blocks = given.num_kv_blocks};
  if (given.max_num_seqs != 0) converted.max_num_seqs = given.max_num_seqs;
  if (given.max_batch_tokens != 0) converted.max_batch_tokens = given.max_batch_tokens;
  converted.prefix_cache = given.prefix_cache != 0;
  if (given.block_size != 0) converted.block_size = given.block_size;
  if (given.backend != nullptr) converted.backend = given.backend;
  if (given.kv_dtype != nullptr) converted.kv_dtype = given.kv_dtype;
  if (given.tools != nullptr) converted.tools = given.tools;
  if (given.activation_bits != nullptr) converted.activation_bits = given.activation_bits;
  converted.speculate = given.speculate;
  return converted;
}

}  // namespace

quire_options quire_default_options(void) {
  return {.num_threads = 0,
          .num_kv_blocks = 0,
          .max_num_seqs = 0,
          .max_batch_tokens = 0,
          .prefix_cache = 1,
          .block_size = 0,
          .backend = nullptr,
          .kv_dtype = nullptr,
          .tools = nullptr,
          .activation_bits = nullptr,
          .speculate = 0};
}

quire_sampling_params quire_default_sampling_params(void) {
  const quire::SamplingParams params;
  return {.max_tokens = params.max_tokens,
          .temperature = params.temperature,
          .top_k = params.top_k,
          .top_p = params.top_p,
          .min_p = params.min_p,
          .seed = 0,
          .has_seed = 0,
          .ignore_eos = 0};
}

quire_status quire_open(const char* package, const quire_options* options, quire_llm** llm) {
  return guarded([&]() -> Status {
    if (package == nullptr) return quire::invalid_argument("the package is NULL");
    QUIRE_ASSIGN(quire::Llm opened, quire::Llm::open(package, engine_options(options)));
    *llm = std::make_unique<quire_llm>(std::move(opened)).release();
    return quire::ok_status();
  });
}

void quire_free(quire_llm* llm) { const std::unique_ptr<quire_llm> owned(llm); }

quire_status quire_submit_text(quire_llm* llm,
                               const char* text,
                               const quire_sampling_params* params,
                               std::uint64_t* request_id) {
  return submit(llm, text_or_empty(text), params, request_id);
}

quire_status quire_submit_chat(quire_llm* llm,
                               const char* question,
                               const quire_sampling_params* params,
                               std::uint64_t* request_id) {
  return submit(
      llm,
      std::vector<quire::ChatMessage>{{.role = "user", .content = text_or_empty(question)}},
      params,
      request_id);
}

quire_status quire_submit_ids(quire_llm* llm,
                              const std::int32_t* ids,
                              std::size_t num_ids,
                              const quire_sampling_params* params,
                              std::uint64_t* request_id) {
  return submit(llm, std::vector<quire::TokenId>(ids, ids + num_ids), params, request_id);
}

quire_status quire_submit_json(quire_llm* llm, const char* request, std::uint64_t* request_id) {
  return guarded([&]() -> Status {
    const quire::SamplingParams defaults = sampling_params(nullptr);
    quire::wire::PromptLine line =
        quire::wire::parse_prompt_line(text_or_empty(request), false, defaults);
    QUIRE_TRY(line.request.error());
    QUIRE_ASSIGN(*request_id, llm->llm.submit(*std::move(line.request)));
    return quire::ok_status();
  });
}

quire_status quire_step(quire_llm* llm) {
  return guarded([&]() -> Status {
    quire::StepOutput output = llm->llm.step();
    for (quire::TextDelta& delta : output.deltas) {
      std::string logprobs;
      if (!delta.logprobs.empty()) logprobs = quire::wire::logprobs_json(delta.logprobs);
      llm->events.push_back({.delta = std::move(delta),
                             .finished = false,
                             .error = {},
                             .logprobs_json = std::move(logprobs)});
    }
    for (const quire::RequestOutput& finished : output.finished) {
      PolledEvent event;
      event.delta.request_id = finished.request_id;
      event.finished = true;
      event.error = finished.error.message();
      if (!finished.outputs.empty()) {
        event.delta.finish_reason = finished.outputs.front().finish_reason;
      }
      llm->events.push_back(std::move(event));
    }
    return quire::ok_status();
  });
}

quire_status quire_poll(quire_llm* llm, quire_event* event) {
  if (llm->events.empty()) return QUIRE_NOTHING;
  llm->current = std::move(llm->events.front());
  llm->events.pop_front();
  const PolledEvent& current = llm->current;
  *event = {.request_id = current.delta.request_id,
            .text = current.delta.text.c_str(),
            .text_size = current.delta.text.size(),
            .token_ids = current.delta.token_ids.data(),
            .num_token_ids = current.delta.token_ids.size(),
            .finished = current.finished ? 1 : 0,
            .finish_reason = finish_reason(current),
            .error = current.error.c_str(),
            .kind = quire::part_kind_name(current.delta.kind).data(),
            .index = current.delta.index,
            .logprobs_json = current.logprobs_json.c_str()};
  return QUIRE_OK;
}

int quire_has_unfinished(const quire_llm* llm) { return llm->llm.has_unfinished() ? 1 : 0; }

quire_status quire_cancel(quire_llm* llm, std::uint64_t request_id) {
  return guarded([&]() -> Status {
    if (llm->llm.cancel(request_id)) return quire::ok_status();
    return quire::invalid_argument("there is no unfinished request " + std::to_string(request_id));
  });
}

const char* quire_last_error(void) { return last_error.c_str(); }
const char* quire_version(void) { return QUIRE_VERSION; }
