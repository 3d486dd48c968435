// The module quire._core: what quire/*.py builds on. Its types are told in quire/_core.pyi.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <exception>
#include <memory>
#include <optional>
#include <string>

#include "engine.h"
#include "failure.h"
#include "tokenizer.h"

namespace nb = nanobind;

namespace quire::python {
namespace {

// A Failure becomes the exception that quire/errors.py has for its code.
void translate(const std::exception_ptr& thrown, void* /*payload*/) {
  try {
    std::rethrow_exception(thrown);
  } catch (const Failure& failure) {
    const nb::object made =
        nb::module_::import_("quire.errors")
            .attr("error_of")(std::string(status_code_name(failure.status().code())),
                              failure.status().message());
    PyErr_SetObject(made.type().ptr(), made.ptr());
  }
}

void bind_tokenizer(nb::module_& module) {
  nb::class_<PyTokenizer>(module, "Tokenizer")
      .def("__init__",
           [](PyTokenizer* self, const std::string& path) { new (self) PyTokenizer(path); })
      .def("encode", &PyTokenizer::encode)
      .def("decode", &PyTokenizer::decode)
      .def("encode_request", &PyTokenizer::encode_request)
      .def("render_request", &PyTokenizer::render_request)
      .def("has_chat_template",
           [](const PyTokenizer& self) { return self.encoder().has_chat_template(); })
      .def("vocab_size", [](const PyTokenizer& self) { return self.tokenizer().vocab_size(); })
      .def("token_to_id",
           [](const PyTokenizer& self, const std::string& token) {
             return self.tokenizer().id_of(token);
           })
      .def("is_special",
           [](const PyTokenizer& self, TokenId id) { return self.tokenizer().is_special(id); })
      .def("token_bytes", [](const PyTokenizer& self, TokenId id) {
        const std::string bytes = self.tokenizer().token_bytes(id);
        return nb::bytes(bytes.data(), bytes.size());
      });
  nb::class_<PyStreamDecoder>(module, "StreamDecoder")
      .def("__init__",
           [](PyStreamDecoder* self, std::shared_ptr<PyTokenizer> tokenizer, bool skip_special) {
             new (self) PyStreamDecoder(std::move(tokenizer), skip_special);
           })
      .def("push", &PyStreamDecoder::push)
      .def("flush", &PyStreamDecoder::flush);
}

void bind_engine(nb::module_& module) {
  nb::class_<PyEngine>(module, "Engine", nb::is_weak_referenceable())
      .def("__init__",
           [](PyEngine* self, const std::string& package, const nb::dict& options) {
             new (self) PyEngine(package, options);
           })
      .def("submit", &PyEngine::submit)
      .def("step", &PyEngine::step)
      .def("cancel", &PyEngine::cancel)
      .def("has_unfinished", &PyEngine::has_unfinished)
      .def("stats", &PyEngine::stats)
      .def("spec", &PyEngine::spec)
      .def("recommended", &PyEngine::recommended)
      .def("forward", &PyEngine::forward)
      .def("tokenizer", &PyEngine::tokenizer)
      .def("has_tokenizer", &PyEngine::has_tokenizer)
      .def("close", &PyEngine::close);
}

}  // namespace
}  // namespace quire::python

NB_MODULE(_core, module) {
  // An engine that lives to the end of the process is no leak worth a message.
  nb::set_leak_warnings(false);
  nb::register_exception_translator(quire::python::translate);
  quire::python::bind_tokenizer(module);
  quire::python::bind_engine(module);
  module.attr("version") = QUIRE_VERSION;
}
