#include <ctime>

#include "client/loopback_test.h"

namespace client_test {
namespace {

uint64_t ThreadCpuNs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<uint64_t>(now.tv_sec) * kSecondNs + static_cast<uint64_t>(now.tv_nsec);
}

/// One call copied all that was there: up to 128 MiB, and the event loop waited meanwhile.
TEST(SessionTurn, CopiesLargeAnswersInSeveralCallsOfProgress) {
  Loopback loopback(ServerOptions(kShm, kLargeArenaBytes), kLargeArenaBytes);
  const auto target = loopback.Up();
  constexpr size_t kReads = 16;
  for (size_t i = 0; i < kReads; ++i)
    (void)loopback.client->PostRead(target, Loopback::WholeRead(8 << 20, kHeldVolume));
  ASSERT_TRUE(loopback.Await([&] { return loopback.knobs.held == kReads; }));
  loopback.knobs.is_released = true;
  loopback.knobs.Wake();
  while (loopback.server->stats().arena.leases_outstanding < kReads) usleep(1000);

  uint64_t longest_ns = 0;
  uint64_t all_ns = 0;
  client::Batch batch;
  const uint64_t give_up_ns = protocol::NowNs() + 20 * kSecondNs;
  while (loopback.client->requests_in_flight() > 0 && protocol::NowNs() < give_up_ns) {
    const uint64_t began_ns = ThreadCpuNs();
    loopback.client->Progress();
    const uint64_t spent_ns = ThreadCpuNs() - began_ns;
    longest_ns = std::max(longest_ns, spent_ns);
    all_ns += spent_ns;
    loopback.client->Take(batch);
    batch = {};
  }
  EXPECT_EQ(loopback.client->requests_in_flight(), 0u);
  EXPECT_LT(longest_ns, all_ns / 4);
}

}  // namespace
}  // namespace client_test
