#pragma once

#include <cstdint>

#include "shelf/entry.h"

namespace lane {

/// The values that differ from one answer to the next: X-Amz-Request-Id (the unix time in ns as
/// hex, then 8 random hex digits) and Date. One thread.
class AnswerValues {
 public:
  AnswerValues();

  /// Writes the answer's head, as long as `heads.answer`, to `target`.
  void WriteHead(const shelf::Heads& heads, char* target);
  [[nodiscard]] uint32_t Random();

 private:
  void WriteRequestId(char* target, uint64_t unix_ns);

  uint64_t random_;
  int64_t date_s_ = -1;
  char date_[shelf::kDateBytes + 1] = {};
};

}  // namespace lane
