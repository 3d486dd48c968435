#pragma once

#include <nanobind/nanobind.h>

#include <cstddef>
#include <vector>

#include "quire/output.h"

// What the engine hands out as plain Python tuples, from which quire/outputs.py makes its classes.
// All of it with the interpreter's lock held.
namespace quire::python {

// (token_ids int32[n], logprobs float32[n], top_ids int32[n, k], top_logprobs float32[n, k]) or
// None for none. A position with fewer than k alternatives is filled up with id -1.
nanobind::object logprobs_tuple(const std::vector<TokenLogprobs>& logprobs);

// (request_id, index, kind, text, token_ids, logprobs, finish_reason or None)
nanobind::tuple delta_tuple(const TextDelta& delta);

// (request_id, None or (code, message), outputs, prompt_logprobs, num_prompt_tokens,
// num_cached_tokens, (queued_ms, first_token_ms, total_ms)); an output is (index, text, token_ids,
// finish_reason or None, logprobs, parts, tool_calls).
nanobind::tuple output_tuple(const RequestOutput& output);

// A float32 array of [rows, columns] that owns `values`, which are not copied.
nanobind::object float_array(std::vector<float> values, std::size_t rows, std::size_t columns);

}  // namespace quire::python
