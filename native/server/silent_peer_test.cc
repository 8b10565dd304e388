// Proxies that stop taking what they asked for, or say nothing any more, without closing.
#include "client/loopback_test.h"

namespace server_test {
namespace {

using client_test::kSecondNs;
using client_test::kShm;
using client_test::kStream;
using client_test::kTcp;
using client_test::kTlsStream;
using client_test::Loopback;
using client_test::ServerOptions;
using protocol::Status;

class SilentPeer : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Transports, SilentPeer, testing::Values(kTcp, kShm, kStream, kTlsStream),
                         [](const auto& info) { return client_test::NameOf(info.param); });

/// Looks at the server alone, while its client makes no progress.
bool AwaitUnheard(const server::TargetServer& server,
                  const std::function<bool(const server::TargetServerStats&)>& done) {
  const uint64_t give_up_ns = protocol::NowNs() + 10 * kSecondNs;
  while (!done(server.stats())) {
    if (protocol::NowNs() > give_up_ns) return false;
    usleep(10'000);
  }
  return true;
}

TEST_P(SilentPeer, ThatTakesNoAnswerIsEndedAfterItsDeadlineAndItsMemoryIsFree) {
  Loopback loopback(GetParam(), client_test::kLargeArenaBytes);
  const auto target = loopback.Up();
  auto command = Loopback::WholeRead(16 << 20, client_test::kHeldVolume);
  command.timeout_ns = kSecondNs;
  for (int i = 0; i < 4; ++i) (void)loopback.client->PostRead(target, command);
  const uint64_t asked_ns = protocol::NowNs();
  ASSERT_TRUE(loopback.Await([&] { return loopback.knobs.held == 4; }));
  loopback.knobs.is_released = true;
  loopback.knobs.Wake();
  ASSERT_TRUE(AwaitUnheard(*loopback.server, [](const auto& stats) {
    return stats.sessions_active == 1 && stats.arena.bytes_leased >= 64 << 20;
  }));
  ASSERT_TRUE(
      AwaitUnheard(*loopback.server, [](const auto& stats) { return stats.sessions_active == 0; }));
  EXPECT_LT(protocol::NowNs() - asked_ns, 4 * kSecondNs);
  EXPECT_TRUE(AwaitUnheard(*loopback.server, [](const auto& stats) {
    return stats.arena.leases_outstanding == 0 && stats.requests_in_flight == 0;
  })) << loopback.server->stats().arena.bytes_leased;
  EXPECT_EQ(loopback.server->stats().sessions_lost, 1u);
}

TEST_P(SilentPeer, ThatSaysNothingIsEndedAfterTheTimeOfASession) {
  auto options = ServerOptions(GetParam());
  options.session_timeout_ns = 300'000'000;
  Loopback loopback(options);
  (void)loopback.Up();
  EXPECT_TRUE(
      AwaitUnheard(*loopback.server, [](const auto& stats) { return stats.sessions_active == 0; }));
  const auto down = loopback.AwaitEvent(client::TargetEvent::Kind::kDown);
  ASSERT_TRUE(down);
  EXPECT_EQ(down->status, Status::closed);
}

}  // namespace
}  // namespace server_test
