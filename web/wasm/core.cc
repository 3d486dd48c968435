#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/cpus.h"
#include "base/json.h"
#include "openssl/sha.h"
#include "quire/llm.h"
#include "wire/output_json.h"
#include "wire/prompt_json.h"

// The functions that JavaScript calls (src/core.js). Texts go in as UTF-8 at an address that
// quire_alloc() gave, and come back as a JSON object: the address is the result, its size what
// quire_answer_size() says, and it stays until the next call. An error is {"error", "code"}. One
// model a module, one thread.
namespace {

using nlohmann::json;
using quire::Result;
using quire::Status;

std::unique_ptr<quire::Llm> model;
std::string answer;

// One SHA-256 at a time: what is fetched, piece by piece.
SHA256_CTX hash;
unsigned char hash_room[65536];
unsigned char hash_digest[SHA256_DIGEST_LENGTH];

const char* give(const json& value) {
  // What a model writes may end inside a character.
  answer = value.dump(-1, ' ', false, json::error_handler_t::replace);
  return answer.data();
}

std::string_view code_name(quire::StatusCode code) {
  switch (code) {
    case quire::StatusCode::kInvalidArgument:
      return "invalid_argument";
    case quire::StatusCode::kBadModel:
      return "bad_model";
    case quire::StatusCode::kResourceExhausted:
      return "out_of_memory";
    default:
      return "failed";
  }
}

const char* give_error(const Status& error) {
  return give({{"error", error.message()}, {"code", code_name(error.code())}});
}

// Reads {"package", "num_threads", "num_kv_blocks", "max_num_seqs"}.
Status open(std::string_view text) {
  QUIRE_ASSIGN(const json options, quire::parse_json(text, "the options", 4));
  quire::EngineOptions engine;
  engine.num_threads = options.value("num_threads", 0);
  engine.num_kv_blocks = options.value("num_kv_blocks", 0);
  engine.max_num_seqs = options.value("max_num_seqs", 4);
  engine.backend = "graph";
  QUIRE_ASSIGN(quire::Llm opened, quire::Llm::open(options.value("package", "/package"), engine));
  model = std::make_unique<quire::Llm>(std::move(opened));
  return quire::ok_status();
}

// A request as a line of a prompt file (docs/guide.md): greedy and 256 tokens where it says
// nothing, as the command line has it.
Result<quire::GenerateRequest> read_request(std::string_view line) {
  return quire::wire::parse_prompt_line(std::string(line), false, {.max_tokens = 256}).request;
}

json delta_json(const quire::TextDelta& delta) {
  json event = {{"id", delta.request_id},
                {"index", delta.index},
                {"kind", quire::part_kind_name(delta.kind)},
                {"text", delta.text},
                {"tokens", delta.token_ids}};
  if (delta.finish_reason != quire::FinishReason::kNone) {
    event["finish"] = quire::finish_reason_name(delta.finish_reason);
  }
  return event;
}

json finished_json(const quire::RequestOutput& output) {
  json event = {{"id", output.request_id},
                {"done", true},
                {"prompt_tokens", output.num_prompt_tokens},
                {"first_token_ms", output.timings.first_token_ms},
                {"total_ms", output.timings.total_ms}};
  if (!output.error.ok()) event["error"] = output.error.message();
  return event;
}

}  // namespace

#define QUIRE_EXPORT(name) extern "C" __attribute__((export_name(#name), used))

QUIRE_EXPORT(quire_alloc) void* quire_alloc(std::size_t size) { return std::malloc(size); }
QUIRE_EXPORT(quire_release) void quire_release(void* memory) { std::free(memory); }
QUIRE_EXPORT(quire_answer_size) std::size_t quire_answer_size() { return answer.size(); }

QUIRE_EXPORT(quire_open) const char* quire_open(const char* text, std::size_t size) {
  const Status status = open({text, size});
  if (!status.ok()) return give_error(status);
  return give({{"vocab_size", model->runner().spec().vocab_size},
               {"max_seq_len", model->runner().spec().max_seq_len},
               {"chat", model->has_chat_template()},
               {"kv_blocks", model->stats().num_blocks},
               {"threads", quire::choose_num_threads(0)},
               {"memory_bytes", std::uint64_t{__builtin_wasm_memory_size(0)} * 65536}});
}

QUIRE_EXPORT(quire_submit) const char* quire_submit(const char* text, std::size_t size) {
  Result<quire::GenerateRequest> request = read_request({text, size});
  if (!request) return give_error(request.error());
  const auto id = model->submit(*std::move(request));
  if (!id) return give_error(id.error());
  return give({{"id", *id}});
}

// {"events": [...], "more": whether another step has anything to do}.
QUIRE_EXPORT(quire_step) const char* quire_step() {
  const quire::StepOutput output = model->step();
  json events = json::array();
  for (const quire::TextDelta& delta : output.deltas) events.push_back(delta_json(delta));
  for (const quire::RequestOutput& done : output.finished) events.push_back(finished_json(done));
  return give({{"events", std::move(events)}, {"more", model->has_unfinished()}});
}

QUIRE_EXPORT(quire_cancel) int quire_cancel(double id) {
  return model->cancel(static_cast<std::uint64_t>(id)) ? 1 : 0;
}

QUIRE_EXPORT(quire_tokenize) const char* quire_tokenize(const char* text, std::size_t size) {
  const Result<quire::GenerateRequest> request = read_request({text, size});
  if (!request) return give_error(request.error());
  const auto ids = model->tokenize(*request);
  if (!ids) return give_error(ids.error());
  return give({{"tokens", *ids}});
}

// FNV-1a over the bits of all logits of a prompt: what the test of equal bits compares.
QUIRE_EXPORT(quire_logits_hash) const char* quire_logits_hash(const char* text, std::size_t size) {
  const Result<quire::GenerateRequest> request = read_request({text, size});
  if (!request) return give_error(request.error());
  const auto ids = model->tokenize(*request);
  if (!ids) return give_error(ids.error());
  const auto logits = model->runner().forward(*ids);
  if (!logits) return give_error(logits.error());
  std::uint64_t bits = 0xcbf29ce484222325U;
  for (const std::byte byte : std::as_bytes(std::span(*logits))) {
    bits = (bits ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3U;
  }
  return give({{"hash", std::to_string(bits)}});
}

// A SHA-256: begin, then any number of times up to 65536 bytes into the room and update, then the
// address of the 32 bytes.
QUIRE_EXPORT(quire_hash_begin) void quire_hash_begin() { SHA256_Init(&hash); }
QUIRE_EXPORT(quire_hash_room) void* quire_hash_room() { return hash_room; }
QUIRE_EXPORT(quire_hash_update) void quire_hash_update(std::size_t size) {
  SHA256_Update(&hash, hash_room, size);
}
QUIRE_EXPORT(quire_hash_end) const void* quire_hash_end() {
  SHA256_Final(hash_digest, &hash);
  return hash_digest;
}
