#include "ucx/log_limit.h"

#include <gtest/gtest.h>
#include <ucs/debug/log_def.h>
#include <unistd.h>

#include <algorithm>
#include <string>

namespace ucx {
namespace {

TEST(LogWindow, WritesSoManyLinesAndTellsLaterHowManyItLeftOut) {
  LogWindow window;
  constexpr uint64_t kBegan = 5;
  for (uint32_t i = 0; i < LogWindow::kLinesMax; ++i) {
    EXPECT_TRUE(window.Take(kBegan).is_written);
  }
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(window.Take(kBegan + 1).is_written);
  const auto next = window.Take(kBegan + LogWindow::kWindowNs);
  EXPECT_TRUE(next.is_written);
  EXPECT_EQ(next.left_out, 1000u);
  EXPECT_EQ(window.Take(kBegan + LogWindow::kWindowNs).left_out, 0u);
}

TEST(LimitUcxLog, BoundsWhatUcxWrites) {
  LimitUcxLog();
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  static ucs_log_component_config_t component{UCS_LOG_LEVEL_ERROR, "TEST", ""};
  for (int i = 0; i < 1000; ++i) {
    ucs_log_dispatch(__FILE__, __LINE__, __func__, UCS_LOG_LEVEL_ERROR, &component, "line %d", i);
  }
  ucs_log_flush();
  const std::string text =
      testing::internal::GetCapturedStdout() + testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::ranges::count(text, '\n'), LogWindow::kLinesMax);
}

}  // namespace
}  // namespace ucx
