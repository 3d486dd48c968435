#include "eval/bench_requests.h"

#include <algorithm>
#include <cstddef>
#include <random>
#include <utility>
#include <vector>

namespace quire {

double seconds_since(BenchClock::time_point start) {
  return std::chrono::duration<double>(BenchClock::now() - start).count();
}

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

GenerateRequest random_request(int num_prompt, int num_output, int vocab, std::mt19937* random) {
  std::uniform_int_distribution<TokenId> any_id(0, vocab - 1);
  std::vector<TokenId> ids(static_cast<std::size_t>(num_prompt));
  for (TokenId& id : ids) id = any_id(*random);
  GenerateRequest request{.prompt = std::move(ids)};
  request.params.max_tokens = num_output;
  request.params.ignore_eos = true;
  return request;
}

}  // namespace quire
