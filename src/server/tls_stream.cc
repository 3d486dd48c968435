#include "server/tls_stream.h"

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <memory>
#include <string>
#include <utility>

namespace quire::server {
namespace {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using boost::system::error_code;

auto into(error_code* error) { return asio::redirect_error(asio::use_awaitable, *error); }

class AsioTlsStream : public TlsStream {
 public:
  AsioTlsStream(std::shared_ptr<TlsContext> context, ssl::context& settings, StreamSocket& socket)
      : context_(std::move(context)), stream_(socket, settings) {}

  asio::awaitable<void> handshake(error_code* error) override {
    co_await stream_.async_handshake(ssl::stream_base::server, into(error));
  }
  asio::awaitable<std::size_t> read_some(asio::mutable_buffer buffer, error_code* error) override {
    const std::size_t got = co_await stream_.async_read_some(buffer, into(error));
    // Many clients close without a word; what HTTP needs to know of an end it says itself.
    if (*error == ssl::error::stream_truncated) *error = asio::error::eof;
    co_return got;
  }
  asio::awaitable<std::size_t> write_some(asio::const_buffer buffer, error_code* error) override {
    co_return co_await stream_.async_write_some(buffer, into(error));
  }
  asio::awaitable<void> shut_down() override {
    error_code ignored;
    co_await stream_.async_shutdown(into(&ignored));
  }

 private:
  std::shared_ptr<TlsContext> context_;  // held past a reload
  ssl::stream<StreamSocket&> stream_;
};

Status cannot_use(const std::filesystem::path& path, const error_code& error) {
  return invalid_argument("cannot use " + path.string() + " for TLS: " + error.message() +
                          "; give a certificate and its key, both as PEM");
}

}  // namespace

struct TlsContext {
  ssl::context settings{ssl::context::tls_server};
};

Result<std::shared_ptr<TlsContext>> load_tls_context(const std::filesystem::path& certificate,
                                                     const std::filesystem::path& key) {
  try {
    auto context = std::make_shared<TlsContext>();
    ssl::context& settings = context->settings;
    settings.set_options(ssl::context::default_workarounds | ssl::context::no_tlsv1 |
                         ssl::context::no_tlsv1_1);
    error_code error;
    // A key with a passphrase is refused; nobody is there to be asked for it.
    settings.set_password_callback(
        [](std::size_t, ssl::context::password_purpose) { return std::string(); }, error);
    if (!error) settings.use_certificate_chain_file(certificate.string(), error);
    if (error) return cannot_use(certificate, error);
    settings.use_private_key_file(key.string(), ssl::context::pem, error);
    if (error) return cannot_use(key, error);
    return context;
  } catch (const std::exception&) {
    return resource_exhausted("TLS could not be set up; is there memory left?");
  }
}

std::unique_ptr<TlsStream> make_tls_stream(const std::shared_ptr<TlsContext>& context,
                                           StreamSocket& socket) {
  return std::make_unique<AsioTlsStream>(context, context->settings, socket);
}

}  // namespace quire::server
