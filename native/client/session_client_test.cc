#include "client/session_client.h"

#include <chrono>
#include <thread>

#include "client/loopback_test.h"

namespace client_test {
namespace {

using client::ReadCommand;
using client::ReadCompletion;
using client::TargetEvent;
using protocol::Status;

void ExpectData(const ReadCompletion& completion, uint64_t needle_id, uint64_t offset,
                uint64_t length) {
  ASSERT_EQ(protocol::StatusName(completion.status), "ok");
  ASSERT_EQ(completion.reply.data_offset, offset);
  ASSERT_EQ(completion.reply.data_length, length);
  const auto bytes = completion.lease.bytes().subspan(completion.payload_offset);
  ASSERT_EQ(bytes.size(), length + kName.size() + kMime.size());
  std::vector<std::byte> expected(length);
  FillData(expected, needle_id, offset);
  EXPECT_EQ(std::memcmp(bytes.data(), expected.data(), length), 0);
  EXPECT_EQ(std::memcmp(bytes.data() + length, kName.data(), kName.size()), 0);
  EXPECT_EQ(std::memcmp(bytes.data() + length + kName.size(), kMime.data(), kMime.size()), 0);
}

class SessionClient : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Transports, SessionClient,
                         testing::Values(kTcp, kShm, kStream, kTlsStream),
                         [](const auto& info) { return NameOf(info.param); });

TEST_P(SessionClient, ReadsWholeNeedlesOfEverySize) {
  Loopback loopback(GetParam());
  const auto target = loopback.Up();
  for (const uint64_t bytes : {1ull, 100ull, 4096ull, 8192ull, 65536ull, 1ull << 20, 16ull << 20}) {
    ExpectData(loopback.Read(target, Loopback::WholeRead(bytes)), bytes, 0, bytes);
  }
  loopback.ExpectLeasesHome();
}

TEST_P(SessionClient, TellsTheTransportOfItsMessages) {
  Loopback loopback(GetParam());
  loopback.Up();
  if (IsStream(GetParam())) {
    EXPECT_EQ(loopback.transport.substr(loopback.transport.size() - 3),
              NameOf(GetParam()).substr(0, 3) == "str" ? "tcp" : "tls");
  } else if (GetParam() == kTcp) {
    EXPECT_EQ(loopback.transport, "tcp");
  } else {
    EXPECT_TRUE(loopback.transport == "sysv" || loopback.transport == "posix")
        << loopback.transport;
  }
}

TEST_P(SessionClient, ReadsSlicesAndMetadata) {
  Loopback loopback(GetParam());
  const auto target = loopback.Up();
  const uint64_t total = 3 << 20;
  ReadCommand command = Loopback::WholeRead(total);
  command.whole_bytes_max = 0;
  command.offset = 1'000'001;
  command.length = 200'000;
  ExpectData(loopback.Read(target, command), total, 1'000'001, 200'000);
  command.offset = total - 5;
  ExpectData(loopback.Read(target, command), total, total - 5, 5);
  command.offset = total + 5;
  ReadCompletion past = loopback.Read(target, command);
  EXPECT_EQ(past.status, Status::ok);
  EXPECT_EQ(past.reply.data_length, 0u);
  command.metadata_only = true;
  ReadCompletion metadata = loopback.Read(target, command);
  EXPECT_EQ(metadata.status, Status::ok);
  EXPECT_EQ(metadata.reply.data_bytes_total, total);
  EXPECT_EQ(metadata.lease.bytes().size(), kName.size() + kMime.size());
  past.lease.Reset();
  metadata.lease.Reset();
  loopback.ExpectLeasesHome();
}

TEST_P(SessionClient, KeepsSixtyFourFourMebibyteReadsInsideTheArenas) {
  Loopback loopback(ServerOptions(GetParam(), client_test::kLargeArenaBytes), 640 << 20);
  const auto target = loopback.Up();
  for (int i = 0; i < 64; ++i)
    (void)loopback.client->PostRead(target, Loopback::WholeRead(4 << 20));
  ASSERT_TRUE(loopback.Await([&] { return loopback.reads.size() == 64; }));
  uint64_t ok = 0;
  for (const ReadCompletion& read : loopback.reads) {
    // The target's arena has room for fewer than 64 with their metadata: no-slab is an answer, not
    // a failure.
    EXPECT_TRUE(read.status == Status::ok || read.status == Status::no_slab)
        << protocol::StatusName(read.status);
    if (read.status != Status::ok) continue;
    ++ok;
    ExpectData(read, 4 << 20, 0, 4 << 20);
  }
  EXPECT_GE(ok, 32u);
  loopback.ExpectLeasesHome();
}

TEST_P(SessionClient, AnswersNoSlabWhenItsOwnArenaIsFull) {
  Loopback loopback(GetParam(), 8 << 20);
  const auto target = loopback.Up();
  std::vector<memory::Lease> everything;
  for (uint64_t bytes = loopback.arena->largest_slab_bytes(); bytes >= 4096; bytes /= 2) {
    while (memory::Lease lease = loopback.arena->Allocate(bytes))
      everything.push_back(std::move(lease));
  }
  EXPECT_EQ(loopback.Read(target, Loopback::WholeRead(1 << 20)).status, Status::no_slab);
  EXPECT_EQ(loopback.Read(target, Loopback::WholeRead(64 << 10)).status, Status::no_slab);
  everything.clear();
  ExpectData(loopback.Read(target, Loopback::WholeRead(4096)), 4096, 0, 4096);
}

TEST_P(SessionClient, HandsOnTheTargetsOwnStatuses) {
  Loopback loopback(GetParam());
  const auto target = loopback.Up();
  ReadCommand command = Loopback::WholeRead(4096, 99);
  EXPECT_EQ(loopback.Read(target, command).status, Status::unknown_volume);
  command = Loopback::WholeRead(4096);
  command.cookie = 1;
  EXPECT_EQ(loopback.Read(target, command).status, Status::cookie_mismatch);
  command = Loopback::WholeRead(4096);
  command.budget_bytes = 4095;
  EXPECT_EQ(loopback.Read(target, command).status, Status::too_large);
  EXPECT_TRUE(loopback.AwaitServer([](const auto& stats) {
    return stats.reads_by_status[static_cast<uint16_t>(Status::too_large)] == 1;
  }));
  loopback.ExpectLeasesHome();
}

TEST_P(SessionClient, NeverHandsOnBytesThatDoNotMatchTheirChecksum) {
  Loopback loopback(GetParam());
  const auto target = loopback.Up();
  for (const uint64_t bytes : {4096ull, 1ull << 20}) {
    EXPECT_EQ(loopback.Read(target, Loopback::WholeRead(bytes, kSpoiltVolume)).status,
              Status::corrupt);
    ReadCommand slice = Loopback::WholeRead(bytes, kSpoiltVolume);
    slice.whole_bytes_max = 0;
    slice.length = bytes / 2;
    EXPECT_EQ(loopback.Read(target, slice).status, Status::corrupt);
  }
  loopback.ExpectLeasesHome();
}

TEST_P(SessionClient, EndsTheSessionOfATargetWhoseAnswersContradictThemselves) {
  for (const uint32_t volume : {kLyingVolume, kBackwardVolume}) {
    Loopback loopback(GetParam());
    const auto target = loopback.Up();
    EXPECT_EQ(loopback.Read(target, Loopback::WholeRead(1 << 20, volume)).status,
              Status::protocol_error);
    const auto down = loopback.AwaitEvent(TargetEvent::Kind::kDown);
    ASSERT_TRUE(down);
    EXPECT_EQ(down->status, Status::protocol_error);
    EXPECT_EQ(loopback.Read(target, Loopback::WholeRead(16)).status, Status::not_connected);
    loopback.ExpectLeasesHome();
    loopback.Connect(target);
    EXPECT_TRUE(loopback.AwaitEvent(TargetEvent::Kind::kUp));
  }
}

TEST_P(SessionClient, ValidatesManyVolumesInOneRoundTrip) {
  Loopback loopback(GetParam());
  const auto target = loopback.Up();
  loopback.knobs.changed_ids = 3;
  std::vector<protocol::ValidateItem> items(protocol::kValidateItemsMax);
  for (uint32_t i = 0; i < items.size(); ++i) {
    items[i] = {.epoch = 1, .position = i, .volume_id = i % 2 == 0 ? kVolume : 99, .reserved = 0};
  }
  const uint64_t id = loopback.client->PostValidate(target, items, kSecondNs, 0);
  ASSERT_TRUE(loopback.Await([&] { return !loopback.validations.empty(); }));
  const client::ValidateCompletion& completion = loopback.validations.front();
  EXPECT_EQ(completion.request_id, id);
  ASSERT_EQ(completion.status, Status::ok);
  ASSERT_EQ(completion.verdicts.size(), items.size());
  EXPECT_EQ(completion.verdicts[0].ids, (std::vector<uint64_t>{1, 2, 3}));
  EXPECT_EQ(completion.verdicts[0].row.position, 16u);
  EXPECT_EQ(completion.verdicts[1].row.verdict, static_cast<uint16_t>(protocol::Verdict::gone));
}

TEST_P(SessionClient, TurnsAFloodOfChangedIdsIntoFlush) {
  Loopback loopback(GetParam());
  const auto target = loopback.Up();
  loopback.knobs.changed_ids = protocol::kChangedIdsMax;
  const std::vector<protocol::ValidateItem> items(
      100, {.epoch = 1, .position = 0, .volume_id = kVolume, .reserved = 0});
  (void)loopback.client->PostValidate(target, items, 5 * kSecondNs, 0);
  ASSERT_TRUE(loopback.Await([&] { return !loopback.validations.empty(); }));
  const auto& verdicts = loopback.validations.front().verdicts;
  ASSERT_EQ(verdicts.size(), 100u);
  EXPECT_EQ(verdicts.front().ids.size(), protocol::kChangedIdsMax);
  EXPECT_EQ(verdicts.back().row.verdict, static_cast<uint16_t>(protocol::Verdict::flush));
  EXPECT_TRUE(verdicts.back().ids.empty());
}

TEST_P(SessionClient, LearnsTheVolumesAndEachChangeOfThem) {
  Loopback loopback(GetParam());
  loopback.Up();
  auto volumes = loopback.AwaitEvent(TargetEvent::Kind::kVolumes);
  ASSERT_TRUE(volumes);
  ASSERT_EQ(volumes->volumes.size(), 1u);
  EXPECT_EQ(volumes->volumes[0].volume_id, kVolume);
  EXPECT_EQ(volumes->volumes[0].collection, "pictures");
  loopback.knobs.volume_count = 5000;  // several pages
  loopback.knobs.generation = 2;
  loopback.knobs.Wake();
  volumes = loopback.AwaitEvent(TargetEvent::Kind::kVolumes);
  ASSERT_TRUE(volumes);
  ASSERT_EQ(volumes->volumes.size(), 5000u);
  EXPECT_EQ(volumes->volumes[4999].volume_id, kVolume + 4999);
  EXPECT_FALSE(volumes->volumes[4999].confirmed);
  EXPECT_EQ(loopback.server->volumes().size(), 5000u);
}

TEST_P(SessionClient, Pings) {
  Loopback loopback(GetParam());
  const auto target = loopback.Up();
  (void)loopback.client->PostPing(target, kSecondNs);
  ASSERT_TRUE(loopback.Await([&] { return !loopback.pongs.empty(); }));
  EXPECT_EQ(loopback.pongs[0].status, Status::ok);
  EXPECT_GT(loopback.pongs[0].round_trip_ns, 0u);
  EXPECT_EQ(loopback.pongs[0].pong.sessions, 1u);
  EXPECT_GE(loopback.pongs[0].pong.arena_bytes, client_test::kArenaBytes);
}

TEST_P(SessionClient, FailsARequestAtItsDeadlineAndDropsTheLateAnswer) {
  Loopback loopback(GetParam());
  const auto target = loopback.Up();
  ReadCommand command = Loopback::WholeRead(1 << 20, kHeldVolume);
  command.timeout_ns = 100'000'000;
  const uint64_t began_ns = protocol::NowNs();
  EXPECT_EQ(loopback.Read(target, command).status, Status::deadline);
  EXPECT_LT(protocol::NowNs() - began_ns, kSecondNs);
  // The sample engine answers past the deadline; the server drops it and counts it as such. The
  // server's clock starts when the request arrives, which on a busy machine can be after the
  // client's deadline.
  ASSERT_TRUE(loopback.Await([&] { return loopback.knobs.held == 1; }));
  std::this_thread::sleep_for(std::chrono::nanoseconds(command.timeout_ns));
  loopback.knobs.is_released = true;
  loopback.knobs.Wake();
  EXPECT_TRUE(loopback.AwaitServer([](const auto& stats) {
    return stats.reads_by_status[static_cast<uint16_t>(Status::deadline)] == 1;
  }));
  ExpectData(loopback.Read(target, Loopback::WholeRead(4096)), 4096, 0, 4096);
  loopback.ExpectLeasesHome();
}

TEST_P(SessionClient, BoundsTheRequestsInFlight) {
  auto options = ServerOptions(GetParam());
  options.requests_per_session_max = 4;
  Loopback loopback(options);
  const auto target = loopback.Up();
  for (int i = 0; i < 5; ++i)
    (void)loopback.client->PostRead(target, Loopback::WholeRead(4096, kHeldVolume));
  EXPECT_EQ(loopback.client->requests_in_flight(), 4u);
  EXPECT_FALSE(loopback.client->Arm());  // a completion waits to be taken
  ASSERT_TRUE(loopback.Await([&] { return loopback.reads.size() == 1; }));
  EXPECT_EQ(loopback.reads[0].status, Status::overload);
  ASSERT_TRUE(loopback.Await([&] { return loopback.knobs.held == 4; }));
  loopback.knobs.is_released = true;
  loopback.knobs.Wake();
  ASSERT_TRUE(loopback.Await([&] { return loopback.reads.size() == 5; }));
  EXPECT_EQ(loopback.reads[4].status, Status::ok);
  loopback.ExpectLeasesHome();
}

TEST_P(SessionClient, HasNothingToProgressWhileCompletionsWaitToBeTaken) {
  Loopback loopback(GetParam());
  const auto target = loopback.Up();
  ASSERT_TRUE(loopback.AwaitEvent(TargetEvent::Kind::kVolumes));
  (void)loopback.client->PostRead(target, Loopback::WholeRead(4096));
  const uint64_t give_up_ns = protocol::NowNs() + 10 * kSecondNs;
  while (loopback.client->requests_in_flight() > 0 && protocol::NowNs() < give_up_ns)
    loopback.client->Progress();
  uint32_t rounds = 0;
  while (loopback.client->Progress() && rounds < 100) ++rounds;
  EXPECT_LT(rounds, 100u);
  EXPECT_FALSE(loopback.client->Arm());
}

TEST_P(SessionClient, DisconnectsWithRequestsInFlightAndConnectsAgain) {
  Loopback loopback(GetParam());
  const auto target = loopback.Up();
  (void)loopback.client->PostRead(target, Loopback::WholeRead(4096, kHeldVolume));
  ASSERT_TRUE(loopback.Await([&] { return loopback.knobs.held == 1; }));
  loopback.client->Disconnect(target);
  ASSERT_TRUE(loopback.Await([&] { return !loopback.reads.empty(); }));
  EXPECT_EQ(loopback.reads[0].status, Status::closed);
  const auto down = loopback.AwaitEvent(TargetEvent::Kind::kDown);
  ASSERT_TRUE(down);
  EXPECT_EQ(down->status, Status::closed);
  loopback.reads.clear();
  loopback.Connect(target);
  ASSERT_TRUE(loopback.AwaitEvent(TargetEvent::Kind::kUp));
  loopback.knobs.is_released = true;
  loopback.knobs.Wake();
  ExpectData(loopback.Read(target, Loopback::WholeRead(4096)), 4096, 0, 4096);
  EXPECT_TRUE(loopback.AwaitServer([](const auto& stats) { return stats.sessions_active == 1; }));
  EXPECT_EQ(loopback.server->stats().sessions_lost, 0u);
  loopback.ExpectLeasesHome();
}

}  // namespace
}  // namespace client_test
