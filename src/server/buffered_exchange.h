#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "server/http_message.h"

namespace quire::server {

// How an answer is framed, from what its request said.
struct AnswerForm {
  bool http_1_0 = false;  // knows no chunks: the end of the connection ends a stream
  bool head_only = false;
  bool keep_alive = true;
};

// An exchange as bytes for a connection to send: what is written waits here until it is taken. A
// stream whose backlog passes the limit is given up.
class BufferedExchange : public Exchange {
 public:
  // `wake` is called whenever there is something new for the connection to look at.
  BufferedExchange(AnswerForm form, std::size_t max_backlog, std::function<void()> wake);

  void respond(HttpResponse response) override;
  void start_stream(HttpHeaders headers) override;
  void write(std::string_view events) override;
  void finish() override;
  void on_gone(std::function<void(GoneReason)> callback) override;

  // For the connection:
  // Bytes to send now; `in_flight` counts against the backlog until the next call.
  std::string take_output();
  bool has_output() const { return !output_.empty(); }
  bool is_finished() const { return finished_; }
  bool is_gone() const { return gone_; }
  bool is_streaming() const { return streaming_ && !finished_; }
  bool keep_alive() const { return form_.keep_alive; }
  // A comment that keeps proxies from taking silence for death.
  void write_comment();
  // The client is not there any more.
  void leave(GoneReason reason);
  // Ends the connection after this answer.
  void close_after() { form_.keep_alive = false; }

 private:
  void write_head(const HttpResponse& response, bool has_length);

  AnswerForm form_;
  std::size_t max_backlog_;
  std::function<void()> wake_;
  std::function<void(GoneReason)> gone_callback_;
  std::string output_;
  std::size_t in_flight_ = 0;
  bool streaming_ = false;
  bool finished_ = false;
  bool gone_ = false;
};

// The phrase of a status, for its first line.
std::string_view reason_phrase(int status);

}  // namespace quire::server
