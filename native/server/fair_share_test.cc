#include "server/fair_share.h"

#include <sys/resource.h>

#include <fstream>

#include "client/loopback_test.h"

// Bounds for one session, which leave the rest of the target to the others.
namespace server_test {
namespace {

using client_test::kHeldVolume;
using client_test::kSecondNs;
using client_test::kStream;
using client_test::Loopback;
using client_test::ServerOptions;
using protocol::Status;
using server::HasShare;

TEST(HasShare, LeavesAsMuchAsOneHolds) {
  uint64_t first = 0;
  while (HasShare(first, first, 12)) ++first;
  EXPECT_EQ(first, 6u);
  uint64_t second = 0;
  while (HasShare(second, first + second, 12)) ++second;
  EXPECT_EQ(second, 3u);
  EXPECT_TRUE(HasShare(0, 11, 12));
  EXPECT_FALSE(HasShare(0, 12, 12));
}

uint64_t CountOf(const Loopback& loopback, Status status) {
  return static_cast<uint64_t>(
      std::ranges::count(loopback.reads, status, &client::ReadCompletion::status));
}

class FairShare : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Transports, FairShare,
                         testing::Values(client_test::kTcp, client_test::kShm, kStream),
                         [](const auto& info) { return client_test::NameOf(info.param); });

TEST_P(FairShare, OfRequestsLeavesSomeToOtherSessions) {
  auto options = ServerOptions(GetParam());
  options.requests_max = 12;
  Loopback loopback(options);
  const auto busy = loopback.Up();
  const auto other = loopback.Up();
  for (int i = 0; i < 20; ++i)
    (void)loopback.client->PostRead(busy, Loopback::WholeRead(16, kHeldVolume));
  ASSERT_TRUE(loopback.Await([&] { return loopback.reads.size() == 14; }));
  EXPECT_EQ(CountOf(loopback, Status::overload), 14u);
  EXPECT_EQ(loopback.knobs.held, 6u);
  for (int i = 0; i < 12; ++i)
    (void)loopback.client->PostRead(other, Loopback::WholeRead(16, kHeldVolume));
  ASSERT_TRUE(loopback.Await([&] { return loopback.reads.size() == 14 + 9; }));
  EXPECT_EQ(loopback.knobs.held, 9u);
  loopback.knobs.is_released = true;
  loopback.knobs.Wake();
  ASSERT_TRUE(loopback.Await([&] { return loopback.reads.size() == 32; }));
  EXPECT_EQ(CountOf(loopback, Status::ok), 9u);
  loopback.ExpectLeasesHome();
}

/// Each answer has 512 KiB of ids, and the proxy takes none of them for a while.
TEST_P(FairShare, OfListsIsBoundedWhereAProxyTakesNone) {
  constexpr uint64_t kListBytesMax = 8 << 20;
  constexpr uint64_t kAnswerBytes = 600 << 10;
  auto options = ServerOptions(GetParam());
  options.list_bytes_max = kListBytesMax;
  Loopback loopback(options);
  loopback.knobs.changed_ids = protocol::kChangedIdsMax;
  const auto target = loopback.Up();
  const std::vector<protocol::ValidateItem> items(
      16, {.epoch = 5, .position = 0, .volume_id = client_test::kVolume, .reserved = 0});
  constexpr uint64_t kAsked = 96;
  for (uint64_t i = 0; i < kAsked; ++i)
    (void)loopback.client->PostValidate(target, items, 30 * kSecondNs, 0);
  uint64_t most_bytes = 0;
  uint64_t heard = 0;
  const uint64_t give_up_ns = protocol::NowNs() + 20 * kSecondNs;
  while (heard < kAsked && protocol::NowNs() < give_up_ns) {
    most_bytes = std::max(most_bytes, loopback.server->stats().list_bytes);
    (void)loopback.Await([] { return true; });
    heard = loopback.validations.size();
    usleep(2000);
  }
  EXPECT_EQ(heard, kAsked);
  EXPECT_LE(most_bytes, kListBytesMax / 2 + kAnswerBytes);
  EXPECT_TRUE(loopback.AwaitServer([](const auto& stats) { return stats.list_bytes == 0; }));
}

uint64_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  uint64_t all = 0;
  uint64_t resident = 0;
  file >> all >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

/// TSan keeps memory of its own for what was touched.
#if defined(__SANITIZE_THREAD__)
constexpr bool kHasShadowMemory = true;
#else
constexpr bool kHasShadowMemory = false;
#endif

TEST(ManySessions, HaveBoundedMemoryAndAllTheirReadsAreAnswered) {
  constexpr uint32_t kSessions = 1000;
  constexpr uint64_t kBytesPerSession = 64 << 10;  // of both sides
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_max < 4096) GTEST_SKIP() << "RLIMIT_NOFILE is " << limit.rlim_max;
  limit.rlim_cur = limit.rlim_max;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  Loopback loopback(kStream);
  const uint64_t before_bytes = ResidentBytes();
  std::vector<client::TargetId> targets;
  for (uint32_t i = 0; i < kSessions; ++i) targets.push_back(loopback.Up());
  EXPECT_LT(ResidentBytes() - before_bytes, kSessions * kBytesPerSession);
  EXPECT_TRUE(
      loopback.AwaitServer([&](const auto& stats) { return stats.sessions_active == kSessions; }));

  uint64_t asked = 0;
  const auto ask = [&](uint32_t sessions, uint64_t bytes) {
    for (uint32_t i = 0; i < sessions; ++i, ++asked)
      (void)loopback.client->PostRead(targets[asked % kSessions], Loopback::WholeRead(bytes));
  };
  ask(960, 4096);
  ask(40, 64 << 10);
  ask(20, 1 << 20);
  ask(4, 4 << 20);
  ASSERT_TRUE(loopback.Await([&] { return loopback.reads.size() == asked; }));
  EXPECT_EQ(CountOf(loopback, Status::ok), 1024u);
  if (!kHasShadowMemory) {
    EXPECT_LT(ResidentBytes() - before_bytes,
              kSessions * kBytesPerSession + 2 * client_test::kArenaBytes);
  }
  loopback.ExpectLeasesHome();
}

}  // namespace
}  // namespace server_test
