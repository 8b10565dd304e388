#include "ucx/log_limit.h"

#include <ucs/debug/log_def.h>

#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <mutex>

#include "protocol/clock.h"

namespace ucx {
namespace {

// Guards the log for all threads: UCX's own log as well. Never destroyed, since UCX may log until
// the process ends.
std::mutex& LogMutex() {
  static auto* const mutex = new std::mutex;
  return *mutex;
}

LogWindow window;  // guarded by LogMutex()

ucs_log_func_rc_t OnLine(const char*, unsigned, const char*, ucs_log_level_t level,
                         const ucs_log_component_config_t*, const char*, va_list) {
  // Last words are never left out, and only an operator who asked for it gets more than warnings.
  const bool is_bounded = level == UCS_LOG_LEVEL_ERROR || level == UCS_LOG_LEVEL_WARN;
  if (!is_bounded) return UCS_LOG_FUNC_RC_CONTINUE;
  LogWindow::Verdict verdict{};
  {
    const std::lock_guard lock(LogMutex());
    verdict = window.Take(protocol::NowNs());
  }
  if (verdict.left_out > 0) {
    std::fprintf(stderr, "UCX: %" PRIu64 " lines were left out, at most %u in 10 s are written\n",
                 verdict.left_out, LogWindow::kLinesMax);
  }
  return verdict.is_written ? UCS_LOG_FUNC_RC_CONTINUE : UCS_LOG_FUNC_RC_STOP;
}

}  // namespace

LogWindow::Verdict LogWindow::Take(uint64_t now_ns) {
  uint64_t left_out = 0;
  if (began_ns_ == 0 || now_ns - began_ns_ >= kWindowNs) {
    left_out = left_out_;
    left_out_ = 0;
    lines_ = 0;
    began_ns_ = now_ns;
  }
  const bool is_written = lines_ < kLinesMax;
  if (is_written) {
    ++lines_;
  } else {
    ++left_out_;
  }
  return {is_written, left_out};
}

void LimitUcxLog() {
  static std::once_flag once;
  std::call_once(once, [] { ucs_log_push_handler(OnLine); });
}

}  // namespace ucx
