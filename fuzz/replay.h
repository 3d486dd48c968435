#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace quire::fuzz {

// Runs a fuzz body over every file of a corpus folder, and over each file cut short and with a byte
// changed at a few places, which finds a good part of what a fuzzer would find first.
inline void replay_corpus(const std::filesystem::path& folder, void (*body)(std::string_view)) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) files.push_back(entry);
  std::sort(files.begin(), files.end());
  ASSERT_FALSE(files.empty()) << folder;
  for (const auto& path : files) {
    SCOPED_TRACE(path.filename().string());
    std::ifstream file(path, std::ios::binary);
    const std::string input((std::istreambuf_iterator<char>(file)), {});
    body(input);
    const std::size_t step = input.size() / 48 + 1;
    for (std::size_t at = 0; at < input.size(); at += step) {
      body(std::string_view(input).substr(0, at));
      std::string changed = input;
      changed[at] = static_cast<char>(changed[at] ^ 0x15);
      body(changed);
      changed.insert(at, 1, changed[input.size() - 1 - at]);
      body(changed);
    }
  }
}

}  // namespace quire::fuzz
