#include "lane/answer_values.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "memory/check.h"

namespace lane {
namespace {

constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr uint64_t kNsPerS = 1'000'000'000;

void WriteHex(char* target, uint64_t value, int digits) {
  for (int i = digits - 1; i >= 0; --i) {
    target[i] = "0123456789ABCDEF"[value & 15];
    value >>= 4;
  }
}

/// Not strftime: its names are the locale's.
void WriteDate(char* target, int64_t unix_s) {
  const time_t seconds = unix_s;
  tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  const int written =
      std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT",
                    kDays[static_cast<size_t>(parts.tm_wday)], parts.tm_mday,
                    kMonths[static_cast<size_t>(parts.tm_mon)], parts.tm_year + 1900, parts.tm_hour,
                    parts.tm_min, parts.tm_sec);
  CHECK(written == static_cast<int>(shelf::kDateBytes));
  std::copy_n(text, shelf::kDateBytes, target);
}

}  // namespace

AnswerValues::AnswerValues() {
  CHECK(getrandom(&random_, sizeof random_, 0) == sizeof random_);
  random_ |= 1;  // xorshift stays at zero
}

void AnswerValues::WriteHead(const shelf::Heads& heads, char* target) {
  std::ranges::copy(heads.answer, target);
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  WriteRequestId(target + heads.id_at,
                 static_cast<uint64_t>(now.tv_sec) * kNsPerS + static_cast<uint64_t>(now.tv_nsec));
  if (heads.id_again_at)
    std::memcpy(target + *heads.id_again_at, target + heads.id_at, shelf::kRequestIdBytes);
  if (now.tv_sec != date_s_) {
    date_s_ = now.tv_sec;
    WriteDate(date_, date_s_);
  }
  std::memcpy(target + heads.date_at, date_, shelf::kDateBytes);
}

uint32_t AnswerValues::Random() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return static_cast<uint32_t>(random_ >> 16);
}

void AnswerValues::WriteRequestId(char* target, uint64_t unix_ns) {
  WriteHex(target, unix_ns, 16);
  WriteHex(target + 16, Random(), 8);
}

}  // namespace lane
