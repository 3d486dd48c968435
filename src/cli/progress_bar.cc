#include "cli/progress_bar.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>

namespace quire::cli {
namespace {

constexpr auto kInterval = std::chrono::milliseconds(100);

std::string duration_text(double seconds) {
  const long total = std::lround(seconds);
  char text[32];
  if (total >= 3600) {
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", total / 3600, total / 60 % 60, total % 60);
  } else {
    std::snprintf(text, sizeof text, "%02ld:%02ld", total / 60, total % 60);
  }
  return text;
}

std::size_t terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string bar_text(double share, std::size_t width) {
  const auto full = static_cast<std::size_t>(share * static_cast<double>(width));
  return std::string(full, '#') + std::string(width - full, '.');
}

}  // namespace

ProgressBar::ProgressBar() : enabled_(isatty(STDERR_FILENO) == 1) {}

void ProgressBar::update(const Progress& progress) {
  const auto now = std::chrono::steady_clock::now();
  if (!enabled_ || (drawn_ && now - last_draw_ < kInterval)) return;
  last_draw_ = now;
  drawn_ = true;
  const auto done = static_cast<double>(progress.stats.num_generated_tokens);
  const auto expected =
      static_cast<double>(std::max<std::int64_t>(progress.num_expected_tokens, 1));
  const double share = std::clamp(done / expected, 0.0, 1.0);
  const double rate = progress.seconds > 0 ? done / progress.seconds : 0;
  const std::string left = rate > 0 ? duration_text((expected - done) / rate) : "--:--";
  char numbers[160];
  std::snprintf(numbers,
                sizeof numbers,
                " %3.0f%% | %d/%d prompts | %d running | %.1f tok/s | %s left",
                100 * share,
                progress.num_finished,
                progress.num_prompts,
                progress.stats.num_running,
                rate,
                left.c_str());
  const std::size_t columns = terminal_width();
  const std::string text = numbers;
  const std::size_t room = columns > text.size() + 4 ? columns - text.size() - 3 : 0;
  const std::size_t width = std::min<std::size_t>(room, 40);
  std::fprintf(stderr,
               "\r\x1b[K[%s]%s",
               bar_text(share, width).c_str(),
               text.substr(0, columns - std::min(columns, width + 3)).c_str());
  std::fflush(stderr);
}

void ProgressBar::clear() {
  if (!drawn_) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

void StatsLine::update(const Progress& progress) {
  const double elapsed = progress.seconds - last_seconds_;
  if (elapsed < 1) return;
  const EngineStats& stats = progress.stats;
  const double rate = static_cast<double>(stats.num_generated_tokens - last_generated_) / elapsed;
  const double hits =
      static_cast<double>(stats.num_prefix_hit_tokens) /
      static_cast<double>(std::max<std::int64_t>(stats.num_prefix_lookup_tokens, 1));
  std::fprintf(stderr,
               "running %d, waiting %d, blocks %d of %d, prefix hits %.0f %%, preemptions %lld, "
               "%.1f tok/s\n",
               stats.num_running,
               stats.num_waiting,
               stats.num_used_blocks,
               stats.num_blocks,
               100 * hits,
               static_cast<long long>(stats.num_preemptions),
               rate);
  last_seconds_ = progress.seconds;
  last_generated_ = stats.num_generated_tokens;
}

}  // namespace quire::cli
