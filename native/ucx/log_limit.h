#pragma once

#include <cstdint>
#include <optional>

// UCX's own log lines, bounded. Without a descriptor UCX 1.13 tries to accept a connection again at
// once and writes a line each time: 390 MB in five seconds, caused by a peer that holds connections
// open.
namespace ucx {

/// So many lines in each window; the rest is counted.
class LogWindow {
 public:
  static constexpr uint32_t kLinesMax = 20;
  static constexpr uint64_t kWindowNs = 10'000'000'000;

  struct Verdict {
    bool is_written;
    uint64_t left_out;  // of the windows before, not told yet
  };
  [[nodiscard]] Verdict Take(uint64_t now_ns);

 private:
  uint64_t began_ns_ = 0;
  uint32_t lines_ = 0;
  uint64_t left_out_ = 0;
};

/// Once for the process; later calls do nothing.
void LimitUcxLog();

}  // namespace ucx
