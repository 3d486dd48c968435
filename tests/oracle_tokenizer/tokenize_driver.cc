// Answers the oracle tests: tokenize_driver FOLDER [--special] reads one JSON string a line and
// prints its ids as a JSON array; with --decode each line is {"ids": [...], "skip_special": bool}
// and the answer {"text": ..., "stream": ...}; with --spans each line is [[text, trusted], ...];
// with --time the answer is {"ids": how many, "seconds": the shortest of some runs}.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "quire/tokenizer.h"
#include "tokenizer/stream_decoder.h"
#include "tokenizer/tokenizer_json.h"

namespace {

using Json = nlohmann::json;

Json ids_or_error(const quire::Result<std::vector<quire::TokenId>>& ids) {
  return ids ? Json(*ids) : Json{{"error", ids.error().message()}};
}

Json decode(const quire::Tokenizer& tokenizer, const Json& request) {
  const auto ids = request.at("ids").get<std::vector<quire::TokenId>>();
  const bool skip_special = request.at("skip_special").get<bool>();
  const auto text = tokenizer.decode(ids, skip_special);
  if (!text) return {{"error", text.error().message()}};
  quire::StreamDecoder stream(tokenizer, skip_special);
  std::string pieces;
  for (const quire::TokenId id : ids) {
    const auto piece = stream.push(id);
    if (!piece) return {{"error", piece.error().message()}};
    pieces += *piece;
  }
  return {{"text", *text}, {"stream", pieces + stream.flush()}};
}

Json time(const quire::Tokenizer& tokenizer, const std::string& text) {
  constexpr int kNumRuns = 7;
  double best = 1e9;
  std::size_t num_ids = 0;
  for (int run = 0; run < kNumRuns; ++run) {
    const auto start = std::chrono::steady_clock::now();
    const auto ids = tokenizer.encode(text);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (!ids) return {{"error", ids.error().message()}};
    best = std::min(best, seconds.count());
    num_ids = ids->size();
  }
  return {{"ids", num_ids}, {"seconds", best}};
}

Json answer(const quire::Tokenizer& tokenizer, const std::string& mode, const Json& request) {
  if (mode == "--time") return time(tokenizer, request.get<std::string>());
  if (mode == "--decode") return decode(tokenizer, request);
  if (mode == "--special")
    return ids_or_error(tokenizer.encode_special(request.get<std::string>()));
  if (mode != "--spans") return ids_or_error(tokenizer.encode(request.get<std::string>()));
  std::vector<quire::TextSpan> spans;
  for (const Json& span : request) {
    spans.push_back({span.at(0).get<std::string>(), span.at(1).get<bool>()});
  }
  return ids_or_error(tokenizer.encode_spans(spans));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const auto tokenizer = quire::load_tokenizer(argv[1]);
  if (!tokenizer) {
    std::cerr << tokenizer.error().message() << '\n';
    return 3;
  }
  const std::string mode = argc > 2 ? argv[2] : "";
  std::string line;
  while (std::getline(std::cin, line)) {
    std::cout << answer(**tokenizer, mode, Json::parse(line)).dump() << '\n';
  }
  return 0;
}
