#pragma once
// The three functions of OpenSSL's SHA-256 that the core calls, of web/wasm/sha256.cc: libcrypto
// would be larger than all the rest.
#include <cstddef>
#include <cstdint>

constexpr int SHA256_DIGEST_LENGTH = 32;

struct SHA256_CTX {
  std::uint32_t state[8];
  std::uint64_t num_bytes;
  unsigned char block[64];
};

int SHA256_Init(SHA256_CTX* context);
int SHA256_Update(SHA256_CTX* context, const void* data, std::size_t size);
int SHA256_Final(unsigned char* digest, SHA256_CTX* context);
