#pragma once

#include <filesystem>
#include <memory>

#include "quire/result.h"

namespace quire::server {

// A certificate and its key as connections use them. Opaque: OpenSSL is known in tls_stream.cc
// alone.
struct TlsContext;

// Reads a certificate with the chain behind it, and its key, both PEM. Fails where either cannot be
// used or they do not belong together.
Result<std::shared_ptr<TlsContext>> load_tls_context(const std::filesystem::path& certificate,
                                                     const std::filesystem::path& key);

}  // namespace quire::server
