#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quire::server {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// A request as it came, whole.
struct HttpRequest {
  std::string method;
  std::string path;     // without the query
  std::string query;    // what comes behind the question mark
  std::string segment;  // of the path, where its route leaves one open
  HttpHeaders headers;  // names in lower case
  std::string body;

  // The value of a header, given in lower case; empty without one.
  std::string_view header(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string body = {};
  HttpHeaders headers = {};
  std::string content_type = "application/json";
};

// Why nobody reads an answer any more.
enum class GoneReason {
  kLeft,     // the client closed its end
  kTooSlow,  // what it did not read grew past the limit, or nothing went out for too long
};

// A request that waits for its answer. Used on the I/O thread alone; may be kept for as long as the
// answer takes. Exactly one of respond() and start_stream() once; after start_stream(), write() any
// number of times and finish(). Once the client is gone all of them do nothing.
class Exchange {
 public:
  Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  virtual ~Exchange() = default;

  virtual void respond(HttpResponse response) = 0;
  // Begins a stream of server-sent events; a silent one gets comments.
  virtual void start_stream(HttpHeaders headers) = 0;
  virtual void write(std::string_view events) = 0;
  virtual void finish() = 0;
  // Calls back at most once, when the client goes before the answer is complete; at once if it has
  // gone already.
  virtual void on_gone(std::function<void(GoneReason)> callback) = 0;
};

// Takes a request on the I/O thread and must not block it.
using HttpHandler = std::function<void(HttpRequest, std::shared_ptr<Exchange>)>;

}  // namespace quire::server
