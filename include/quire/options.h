#pragma once

#include <cstdint>
#include <string>

#include "quire/status.h"

namespace quire {

// How an engine is run. 0 means "choose for me" where a comment says so.
struct EngineOptions {
  int num_threads = 0;         // threads of a model step; 0: what affinity and quota allow
  bool pin_threads = false;    // tie the own executor's threads to processors
  std::string device = "cpu";  // cpu | cuda
  // auto | graph | onnx | torch; auto: graph, Quire's own executor, for paged packages; else onnx
  // where the package has it
  std::string backend = "auto";
  bool trust_torchscript = false;  // run a model.pt that model_info.json does not vouch for
  int num_kv_blocks = 0;           // cache blocks; 0: sized from the memory that is free
  // auto | fp32 | fp16 | bf16 | int8; auto: fp32 for an unquantized package, else fp16
  std::string kv_dtype = "auto";
  // auto | 8 | 16: bits that activations are rounded to where they meet 4- and 8-bit weights; auto:
  // what the package says. 8 is faster, 16 closer to the model (docs/benchmarks.md)
  std::string activation_bits = "auto";
  int block_size = 16;         // tokens a cache block
  int max_num_seqs = 64;       // sequences that run at once
  int max_batch_tokens = 512;  // tokens a step computes at most
  bool prefix_cache = true;    // share the blocks of equal prompt beginnings
  // Tokens of a sequence that a step may guess and check (speculation by prompt lookup): the same
  // answers in fewer steps where a text repeats itself. 0: none
  int speculate = 0;
  // auto | none | calculator | arithmetic: what answers the model's tool calls (docs/guide.md);
  // auto: what the package says
  std::string tools = "auto";
  // auto, or the name of a format of tool calls (docs/tools.md); auto: what the chat template
  // writes
  std::string tool_format = "auto";
  std::uint64_t seed = 0;  // for requests without a seed; 0: from the system
};

// Fails with kInvalidArgument and a message that names the option.
Status validate(const EngineOptions& options);

}  // namespace quire
