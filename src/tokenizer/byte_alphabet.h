#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace quire {

// The printable stand-ins that byte-level vocabularies use: each of the 256 bytes has one code
// point below U+0180, so that a token can be written as text in JSON. A space, for example, is
// U+0120.

// The bytes that a token's text stands for; nothing when a character is not of the alphabet.
std::optional<std::string> bytes_of_alphabet(std::string_view text);

// The text that stands for some bytes.
std::string alphabet_of_bytes(std::string_view bytes);

}  // namespace quire
