#pragma once

#include <cstdint>
#include <ctime>

namespace protocol {

/// CLOCK_MONOTONIC, in nanoseconds: the clock of every deadline. The wire carries relative times
/// only.
[[nodiscard]] inline uint64_t NowNs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

/// Processor time of this thread, in nanoseconds.
[[nodiscard]] inline uint64_t ThreadCpuNs() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<uint64_t>(used.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(used.tv_nsec);
}

}  // namespace protocol
