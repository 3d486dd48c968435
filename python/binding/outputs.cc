#include "outputs.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>

namespace nb = nanobind;

namespace quire::python {
namespace {

// An array whose memory Python frees. nanobind takes sizes as a list.
template <typename T>
nb::object array_of(std::vector<T> values, std::initializer_list<std::size_t> shape) {
  auto owned = std::make_unique<std::vector<T>>(std::move(values));
  T* data = owned->data();
  const nb::capsule owner(owned.release(), [](void* pointer) noexcept {
    const std::unique_ptr<std::vector<T>> freed(static_cast<std::vector<T>*>(pointer));
  });
  return nb::cast(nb::ndarray<nb::numpy, T>(data, shape, owner));
}

nb::object reason_or_none(FinishReason reason) {
  if (reason == FinishReason::kNone) return nb::none();
  return nb::cast(std::string(finish_reason_name(reason)));
}

nb::tuple sample_tuple(const CompletionOutput& sample) {
  nb::list parts;
  for (const OutputPart& part : sample.parts) {
    parts.append(nb::make_tuple(std::string(part_kind_name(part.kind)), part.text));
  }
  nb::list calls;
  for (const ToolCall& call : sample.tool_calls) {
    calls.append(nb::make_tuple(call.name, call.arguments));
  }
  return nb::make_tuple(sample.index,
                        sample.text,
                        sample.token_ids,
                        reason_or_none(sample.finish_reason),
                        logprobs_tuple(sample.logprobs),
                        parts,
                        calls);
}

}  // namespace

nb::object float_array(std::vector<float> values, std::size_t rows, std::size_t columns) {
  return array_of(std::move(values), {rows, columns});
}

nb::object logprobs_tuple(const std::vector<TokenLogprobs>& logprobs) {
  if (logprobs.empty()) return nb::none();
  const std::size_t count = logprobs.size();
  std::size_t width = 0;
  for (const TokenLogprobs& entry : logprobs) width = std::max(width, entry.top.size());
  std::vector<std::int32_t> ids(count);
  std::vector<float> values(count);
  std::vector<std::int32_t> top_ids(count * width, kNoToken);
  std::vector<float> top_values(count * width, -std::numeric_limits<float>::infinity());
  for (std::size_t i = 0; i < count; ++i) {
    ids[i] = logprobs[i].token;
    values[i] = logprobs[i].logprob;
    for (std::size_t k = 0; k < logprobs[i].top.size(); ++k) {
      top_ids[i * width + k] = logprobs[i].top[k].first;
      top_values[i * width + k] = logprobs[i].top[k].second;
    }
  }
  return nb::make_tuple(array_of(std::move(ids), {count}),
                        array_of(std::move(values), {count}),
                        array_of(std::move(top_ids), {count, width}),
                        array_of(std::move(top_values), {count, width}));
}

nb::tuple delta_tuple(const TextDelta& delta) {
  return nb::make_tuple(delta.request_id,
                        delta.index,
                        std::string(part_kind_name(delta.kind)),
                        delta.text,
                        delta.token_ids,
                        logprobs_tuple(delta.logprobs),
                        reason_or_none(delta.finish_reason));
}

nb::tuple output_tuple(const RequestOutput& output) {
  nb::object error = nb::none();
  if (!output.error.ok()) {
    error =
        nb::make_tuple(std::string(status_code_name(output.error.code())), output.error.message());
  }
  nb::list samples;
  for (const CompletionOutput& sample : output.outputs) samples.append(sample_tuple(sample));
  return nb::make_tuple(
      output.request_id,
      error,
      samples,
      logprobs_tuple(output.prompt_logprobs),
      output.num_prompt_tokens,
      output.num_cached_tokens,
      nb::make_tuple(
          output.timings.queued_ms, output.timings.first_token_ms, output.timings.total_ms));
}

}  // namespace quire::python
