#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace quire::server {

// What a stranger may cost, in one table. Over a limit there is a status and an end, never a guess.
struct HttpLimits {
  std::uint32_t header_bytes = 16 * 1024;         // 431
  std::size_t header_fields = 100;                // 431
  std::size_t target_bytes = 8 * 1024;            // 414
  std::uint64_t body_bytes = 4 * 1024 * 1024;     // 413, before it is read
  int body_chunks = 8192;                         // 400
  std::size_t read_ahead_bytes = 64 * 1024;       // of requests sent before the last was answered
  std::size_t connections = 2048;                 // 503
  std::size_t unread_bytes = 256 * 1024;          // of a stream that its client does not read
  std::size_t stored_responses = 1024;            // the oldest is forgotten
  std::size_t stored_bytes = 64 * 1024 * 1024;    // of all of them together; likewise
  std::chrono::milliseconds header_time{10'000};  // 408; from its first byte
  std::chrono::milliseconds body_window{30'000};  // 408; in each must come ...
  std::uint64_t body_window_bytes = 30 * 1024;    // ... this much
  std::chrono::milliseconds write_stall{30'000};  // nothing went out for that long
  std::chrono::milliseconds keep_alive_time{75'000};  // of a connection without a request
  std::chrono::milliseconds silence{15'000};          // of a stream, before a comment is sent
};

}  // namespace quire::server
