#include "cli/flag_names.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace quire::cli {
namespace {

struct FlagName {
  std::string_view field;  // of EngineOptions, or of what `bench`, `eval` and `serve` take
  std::string_view flag;
};

constexpr std::array<FlagName, 27> kFlagNames = {{{"num_threads", "--threads"},
                                                  {"pin_threads", "--pin-threads"},
                                                  {"device", "--device"},
                                                  {"backend", "--backend"},
                                                  {"trust_torchscript", "--trust-torchscript"},
                                                  {"num_kv_blocks", "--kv-blocks"},
                                                  {"kv_dtype", "--kv-dtype"},
                                                  {"activation_bits", "--activation-bits"},
                                                  {"block_size", "--block-size"},
                                                  {"max_num_seqs", "--max-num-seqs"},
                                                  {"max_batch_tokens", "--max-batch-tokens"},
                                                  {"speculate", "--speculate"},
                                                  {"tools", "--tools"},
                                                  {"tool_format", "--tool-format"},
                                                  {"context", "--context"},
                                                  {"latency", "--latency"},
                                                  {"host", "--host"},
                                                  {"unix_socket", "--unix-socket"},
                                                  {"api_key_file", "--api-key-file"},
                                                  {"no_auth", "--no-auth"},
                                                  {"tls_cert", "--tls-cert"},
                                                  {"tls_key", "--tls-key"},
                                                  {"otlp_endpoint", "--otlp-endpoint"},
                                                  {"json_schema", "--json-schema"},
                                                  {"regex", "--regex"},
                                                  {"grammar", "--grammar"},
                                                  {"choice", "--choice"}}};

// ASCII, whatever the locale.
bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

std::string_view first_word(std::string_view text) {
  return text.substr(
      0, static_cast<std::size_t>(std::ranges::find_if_not(text, is_word) - text.begin()));
}

}  // namespace

std::string with_flag_names(std::string_view message) {
  constexpr std::string_view kMark = "option ";
  std::string text;
  while (!message.empty()) {
    const std::size_t at = message.find(kMark);
    if (at == std::string_view::npos) break;
    const bool inside_word = at > 0 && is_word(message[at - 1]);
    const std::string_view field = first_word(message.substr(at + kMark.size()));
    const auto* const known = std::ranges::find(kFlagNames, field, &FlagName::field);
    if (inside_word || known == kFlagNames.end()) {
      text += message.substr(0, at + kMark.size());
      message.remove_prefix(at + kMark.size());
      continue;
    }
    text += message.substr(0, at);
    text += known->flag;
    message.remove_prefix(at + kMark.size() + field.size());
    const std::string_view value =
        message.starts_with('=') ? first_word(message.substr(1)) : std::string_view();
    if (value.empty()) continue;
    text += " ";
    text += value;
    message.remove_prefix(1 + value.size());
  }
  return text.append(message);
}

}  // namespace quire::cli
