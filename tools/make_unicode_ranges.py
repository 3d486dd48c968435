#!/usr/bin/env python3
"""Writes src/grammar/unicode_ranges.cc: what this Python's \\d, \\w and \\s match, as ranges.

Ranges are written as (gap to the one before, length), which keeps the file short."""
import pathlib
import re
import unicodedata

LINE = 100


def ranges(pattern):
    found, match = [], re.compile(pattern).match
    for code in range(0x110000):
        if 0xD800 <= code < 0xE000 or not match(chr(code)):
            continue
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return found


def rows(found):
    numbers, end = [], 0
    for low, high in found:
        numbers += [low - end, high - low + 1]
        end = high + 1
    line, lines = "   ", []
    for number in numbers:
        word = f" {number},"
        if len(line) + len(word) > LINE:
            lines.append(line)
            line = "   "
        line += word
    return "\n".join([*lines, line]), len(numbers)


def main():
    out = [f"// Made by tools/make_unicode_ranges.py; Unicode {unicodedata.unidata_version}.",
           '#include "grammar/unicode_ranges.h"', "", "#include <array>", "#include <cstdint>",
           "#include <span>", "#include <vector>", "", "namespace quire::grammar {", "namespace {", "",
           "// Gap to the range before, length; and so on.", "// clang-format off"]
    for name, pattern in (("Digits", r"\d"), ("Words", r"\w"), ("Spaces", r"\s")):
        text, count = rows(ranges(pattern))
        out += [f"constexpr std::array<std::uint32_t, {count}> k{name} = {{", text + "};"]
    out += ["// clang-format on", "",
            "std::vector<CodePointSet::Range> read(std::span<const std::uint32_t> numbers) {",
            "  std::vector<CodePointSet::Range> ranges;", "  char32_t end = 0;",
            "  for (std::size_t i = 0; i + 1 < numbers.size(); i += 2) {",
            "    const char32_t low = end + numbers[i];", "    end = low + numbers[i + 1];",
            "    ranges.emplace_back(low, end - 1);", "  }", "  return ranges;", "}", "",
            "}  // namespace", ""]
    for function, name in (("decimal_digit_ranges", "Digits"), ("word_ranges", "Words"), ("space_ranges", "Spaces")):
        out.append(f"std::vector<CodePointSet::Range> {function}() {{ return read(k{name}); }}")
    out += ["", "}  // namespace quire::grammar", ""]
    root = pathlib.Path(__file__).resolve().parent.parent
    (root / "src/grammar/unicode_ranges.cc").write_text("\n".join(out))


if __name__ == "__main__":
    main()
