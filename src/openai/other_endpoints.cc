#include "openai/other_endpoints.h"

#include <array>
#include <string>
#include <string_view>

namespace quire::openai {
namespace {

struct Other {
  std::string_view path;  // and everything below it
  std::string_view what;
  std::string_view instead;
};

constexpr std::string_view kNoText = "only models that write text are served";

constexpr std::array kOthers = {
    Other{"/v1/embeddings", "no embeddings are made here", "a server of embedding models"},
    Other{"/v1/rerank", kNoText, "a server of reranking models"},
    Other{"/rerank", kNoText, "a server of reranking models"},
    Other{"/v1/score", kNoText, "logprobs with echo of POST /v1/completions"},
    Other{"/score", kNoText, "logprobs with echo of POST /v1/completions"},
    Other{"/pooling", kNoText, "a server of embedding models"},
    Other{"/classify", kNoText, "logprobs of POST /v1/completions"},
    Other{"/v1/audio", kNoText, "a server of speech models"},
    Other{"/v1/images", kNoText, "a server of image models"},
    Other{"/v1/videos", kNoText, "a server of video models"},
    Other{"/v1/moderations", kNoText, "a prompt to POST /v1/chat/completions"},
    Other{
        "/v1/files", "no files are kept here", "quire generate, which reads OpenAI's batch files"},
    Other{"/v1/uploads",
          "no files are kept here",
          "quire generate, which reads OpenAI's batch files"},
    Other{"/v1/batches",
          "no files are kept here",
          "quire generate, which reads OpenAI's batch files"},
    Other{"/v1/messages/batches", "no batches are kept here", "POST /v1/messages for each"},
    Other{"/v1/fine_tuning",
          "no models are trained here",
          "quire-export for a model you have trained"},
    Other{"/v1/assistants", "Assistants are not here", "POST /v1/responses"},
    Other{"/v1/threads", "Assistants are not here", "POST /v1/responses with previous_response_id"},
    Other{"/v1/conversations",
          "conversations are not kept here",
          "POST /v1/responses with previous_response_id"},
    Other{
        "/v1/vector_stores", "no files are kept here", "POST /v1/responses with the text as input"},
    Other{"/v1/realtime", "there are no sessions", "stream: true of POST /v1/chat/completions"},
    Other{"/v1/responses/input_tokens", "it is not in this version", "POST /tokenize"},
    Other{"/v1/edits", "it is OpenAI's of old", "POST /v1/chat/completions"},
    Other{"/v1/engines", "it is OpenAI's of old", "GET /v1/models"},
    Other{"/v1/complete", "it is Anthropic's of old", "POST /v1/messages"},
    Other{"/api/generate", "it is Ollama's own", "POST /v1/completions"},
    Other{"/api/chat", "it is Ollama's own", "POST /v1/chat/completions"},
    Other{"/api/tags", "it is Ollama's own", "GET /v1/models"},
    Other{"/api", "it is Ollama's own", "the endpoints of GET /openapi.json"},
    Other{"/completion", "it is llama-server's own", "POST /v1/completions"},
    Other{"/completions", "it is under /v1", "POST /v1/completions"},
    Other{"/embedding", "no embeddings are made here", "a server of embedding models"},
    Other{"/embeddings", "no embeddings are made here", "a server of embedding models"},
    Other{"/infill", "it is llama-server's own", "POST /v1/completions"},
    Other{"/props", "it is llama-server's own", "GET /v1/models"},
    Other{"/slots", "it is llama-server's own", "GET /metrics"},
    Other{"/generate", "it is another server's own", "POST /v1/completions"},
    Other{"/generate_stream", "it is another server's own", "stream: true of POST /v1/completions"},
    Other{"/invocations", "it is another server's own", "POST /v1/chat/completions"},
    Other{"/models", "it is under /v1", "GET /v1/models"},
    Other{"/responses", "it is under /v1", "POST /v1/responses"},
    Other{"/ping", "it is another server's own", "GET /health"},
    Other{"/load", "it is vLLM's own", "GET /metrics"}};

bool is_at_or_below(std::string_view path, std::string_view top) {
  return path.starts_with(top) && (path.size() == top.size() || path[top.size()] == '/');
}

}  // namespace

std::string about_other_endpoint(std::string_view path) {
  if (path.starts_with("/v1/responses/") && path.ends_with("/cancel")) {
    return "no response runs in the background: close the connection of the request";
  }
  for (const Other& other : kOthers) {
    if (!is_at_or_below(path, other.path)) continue;
    return std::string(other.what) + "; use " + std::string(other.instead);
  }
  return {};
}

}  // namespace quire::openai
