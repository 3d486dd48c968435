#include "tokenizer.h"

#include <nanobind/nanobind.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "failure.h"
#include "llm/text_parts.h"
#include "package/model_package.h"
#include "wire/prompt_json.h"

namespace nb = nanobind;

namespace quire::python {
namespace {

// What a package says of its texts; of a folder that is none, its tokenizer files alone.
PromptEncoder open_encoder(const std::string& path) {
  const std::filesystem::path folder = package_folder(path);
  ModelPackage package;
  package.folder = folder;
  if (is_package(folder)) package = value_of(open_package(folder));
  TextParts parts = value_of(load_text_parts(package, "auto"));
  if (parts.encoder->tokenizer == nullptr) {
    throw Failure(bad_model(folder.string() +
                            " has no tokenizer.json; give a package, or a folder in Hugging Face "
                            "layout that has one"));
  }
  return PromptEncoder(std::move(parts.encoder));
}

PromptEncoder with_tokenizer(PromptEncoder encoder) {
  if (encoder.tokenizer() == nullptr) {
    throw Failure(invalid_argument("this package has no tokenizer; give prompts as token ids"));
  }
  return encoder;
}

GenerateRequest read_request(const std::string& json) {
  return value_of(wire::parse_prompt_line(json, /*chat=*/false, {}).request);
}

}  // namespace

PyTokenizer::PyTokenizer(const std::string& path) : encoder_(open_encoder(path)) {}
PyTokenizer::PyTokenizer(PromptEncoder encoder) : encoder_(with_tokenizer(std::move(encoder))) {}

std::vector<TokenId> PyTokenizer::encode(const std::string& text, bool special) const {
  const nb::gil_scoped_release unlocked;
  return value_of(special ? tokenizer().encode_special(text) : tokenizer().encode(text));
}

std::string PyTokenizer::decode(const std::vector<TokenId>& ids, bool skip_special) const {
  const nb::gil_scoped_release unlocked;
  return value_of(tokenizer().decode(ids, skip_special));
}

std::vector<TokenId> PyTokenizer::encode_request(const std::string& json) const {
  const nb::gil_scoped_release unlocked;
  return value_of(encoder_.encode(read_request(json)));
}

std::string PyTokenizer::render_request(const std::string& json) const {
  const nb::gil_scoped_release unlocked;
  std::string text;
  for (const TextSpan& span : value_of(encoder_.render(read_request(json)))) text += span.text;
  return text;
}

std::string PyStreamDecoder::push(TokenId id) { return value_of(decoder_.push(id)); }

}  // namespace quire::python
