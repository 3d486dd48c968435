#pragma once

#include <onnxruntime_cxx_api.h>

#include <memory>

namespace quire::onnx {

// ONNX Runtime's own memory and threads' surroundings, shared by all sessions that are open. What
// the steps of its graphs take is bounded by what the machine had left when the first was opened: a
// graph may make results as large as the ids of a prompt say, and must then fail alone, instead of
// the system ending the process for it. From any thread.
class OnnxEnvironment {
 public:
  // The one of the sessions that are open, or a new one. Throws Ort::Exception.
  static std::shared_ptr<OnnxEnvironment> shared();

  Ort::Env& env() { return env_; }

 private:
  OnnxEnvironment();

  Ort::Env env_;
};

}  // namespace quire::onnx
