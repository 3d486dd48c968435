// In place of tls_stream.cc in a static program: OpenSSL's sockets look up names, which glibc does
// by opening libraries.
#include <memory>

#include "base/check.h"
#include "server/tls_stream.h"

namespace quire::server {

struct TlsContext {};

Result<std::shared_ptr<TlsContext>> load_tls_context(const std::filesystem::path& certificate,
                                                     const std::filesystem::path&) {
  return unimplemented("the static program has no TLS for " + certificate.string() +
                       "; put a proxy in front, or use the program that is not static");
}

std::unique_ptr<TlsStream> make_tls_stream(const std::shared_ptr<TlsContext>&, StreamSocket&) {
  QUIRE_CHECK(false, "a context is never made");
  return nullptr;
}

}  // namespace quire::server
