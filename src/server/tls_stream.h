#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/system/error_code.hpp>
#include <cstddef>
#include <memory>

#include "server/tls_context.h"

namespace quire::server {

using StreamSocket = boost::asio::generic::stream_protocol::socket;

// TLS over a connection's socket, which outlives it; cancelling the socket ends an operation here.
// The one source file behind it is the only one that OpenSSL's headers are compiled in.
class TlsStream {
 public:
  TlsStream() = default;
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;
  virtual ~TlsStream() = default;

  virtual boost::asio::awaitable<void> handshake(boost::system::error_code* error) = 0;
  // As a socket does; asio::error::eof at the end, however the client has come to it.
  virtual boost::asio::awaitable<std::size_t> read_some(boost::asio::mutable_buffer buffer,
                                                        boost::system::error_code* error) = 0;
  virtual boost::asio::awaitable<std::size_t> write_some(boost::asio::const_buffer buffer,
                                                         boost::system::error_code* error) = 0;
  // Tells the client that nothing more comes, and waits until it has heard.
  virtual boost::asio::awaitable<void> shut_down() = 0;
};

std::unique_ptr<TlsStream> make_tls_stream(const std::shared_ptr<TlsContext>& context,
                                           StreamSocket& socket);

}  // namespace quire::server
