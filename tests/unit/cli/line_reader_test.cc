#include "cli/line_reader.h"

#include <gtest/gtest.h>

#include <sstream>
#include <streambuf>
#include <string>
#include <vector>

namespace quire::cli {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  LineReader reader(&stream, "it");
  std::vector<std::string> lines;
  std::string line;
  for (auto more = reader.next(&line); more && *more; more = reader.next(&line)) {
    lines.push_back(line);
  }
  return lines;
}

TEST(LineReaderTest, LinesEndAsTheyDoOnEverySystem) {
  using Lines = std::vector<std::string>;
  EXPECT_EQ(lines_of("a\nb\r\n\nc"), (Lines{"a", "b", "", "c"}));
  EXPECT_EQ(lines_of("\xEF\xBB\xBF"
                     "a\n\xEF\xBB\xBF"
                     "b\n"),
            (Lines{"a",
                   "\xEF\xBB\xBF"
                   "b"}));
  EXPECT_EQ(lines_of(""), Lines{});
  EXPECT_EQ(lines_of("\n"), Lines{""});
}

// An input that never ends its line, and counts what is taken of it.
class Endless : public std::streambuf {
 public:
  std::size_t taken = 0;

 protected:
  int_type uflow() override { return ++taken, 'a'; }
  int_type underflow() override { return 'a'; }
};

TEST(LineReaderTest, S11ALineWithoutAnEndIsRefusedOnceItIsTooLongAndNotWhenItEnds) {
  Endless endless;
  std::istream stream(&endless);
  LineReader reader(&stream, "it", 1000);
  std::string line;
  const auto more = reader.next(&line);
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code(), StatusCode::kBadModel);
  EXPECT_LE(endless.taken, 1001U);
  EXPECT_LE(line.size(), 1000U);
}

TEST(LineReaderTest, ALineOfExactlyTheLimitIsTaken) {
  std::istringstream stream("12345\n123456\n");
  LineReader reader(&stream, "it", 5);
  std::string line;
  EXPECT_TRUE(*reader.next(&line));
  EXPECT_EQ(line, "12345");
  EXPECT_FALSE(reader.next(&line));
}

}  // namespace
}  // namespace quire::cli
