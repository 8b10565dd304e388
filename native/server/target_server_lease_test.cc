// Leases of volumes as the server keeps them, with a client of its own and with peers of any age.
#include "client/loopback_test.h"
#include "server/raw_peer_test.h"
#include "server/target_server.h"

namespace server_test {
namespace {

using client::TargetEvent;
using client_test::kSecondNs;
using client_test::kShm;
using client_test::kTcp;
using client_test::kVolume;
using client_test::Loopback;
using protocol::MessageId;
using protocol::Verdict;

constexpr uint64_t kMillisecondNs = 1'000'000;
constexpr uint64_t kEpoch = 3;

class TargetServerLeases : public testing::TestWithParam<const char*> {
 protected:
  TargetServerLeases() : loopback_(GetParam()) {
    loopback_.knobs.epoch = kEpoch;
    loopback_.knobs.position = 160;
  }

  /// The row of the one volume.
  protocol::ValidateRow Ask(client::TargetId target, uint32_t lease_ms, uint64_t position = 160) {
    const protocol::ValidateItem item{
        .epoch = kEpoch, .position = position, .volume_id = kVolume, .reserved = 0};
    (void)loopback_.client->PostValidate(target, std::span(&item, 1), 5 * kSecondNs, lease_ms);
    if (!loopback_.Await([&] { return !loopback_.validations.empty(); })) return {};
    const protocol::ValidateRow row = loopback_.validations[0].verdicts.at(0).row;
    loopback_.validations.clear();
    return row;
  }

  std::optional<TargetEvent> AwaitChange(uint64_t timeout_ns = kSecondNs) {
    return loopback_.AwaitEvent(TargetEvent::Kind::kChanged, timeout_ns);
  }

  bool AwaitLeases(uint32_t count) {
    return loopback_.AwaitServer(
        [count](const auto& stats) { return stats.volume_leases == count; });
  }

  /// A peer that was welcomed with `features` offered.
  std::unique_ptr<RawPeer> Welcomed(uint64_t features) {
    auto peer = std::make_unique<RawPeer>(loopback_.server->port(), GetParam());
    protocol::Hello hello = RawPeer::Hello();
    hello.features = features;
    peer->Say(MessageId::hello, hello);
    EXPECT_TRUE(peer->AwaitMessage(MessageId::challenge));
    peer->Prove("a shared secret");
    EXPECT_TRUE(peer->AwaitMessage(MessageId::volumes));
    return peer;
  }

  static void Validate(RawPeer& peer, uint32_t lease_ms) {
    protocol::Validate validate{};
    validate.request_id = 1;
    validate.timeout_ns = kSecondNs;
    validate.item_count = 1;
    validate.lease_ms = lease_ms;
    std::vector<std::byte> list;
    protocol::AppendRow(list,
                        protocol::ValidateItem{
                            .epoch = kEpoch, .position = 160, .volume_id = kVolume, .reserved = 0});
    peer.Say(MessageId::validate, validate, list);
  }

  Loopback loopback_;
};
INSTANTIATE_TEST_SUITE_P(Transports, TargetServerLeases, testing::Values(kTcp, kShm),
                         [](const auto& info) { return info.param == kTcp ? "tcp" : "shm"; });

TEST_P(TargetServerLeases, PushWhatChangesAndThenTheEnd) {
  const auto target = loopback_.Up();
  const auto other = loopback_.Up();
  EXPECT_EQ(Ask(target, 60'000).flags, protocol::kLeased);
  EXPECT_TRUE(AwaitLeases(1));
  loopback_.knobs.changed_ids = 2;
  loopback_.knobs.position = 192;
  auto change = AwaitChange();
  ASSERT_TRUE(change);
  EXPECT_EQ(change->target, target);
  EXPECT_EQ(change->change.volume_id, kVolume);
  EXPECT_EQ(change->change.epoch, kEpoch);
  EXPECT_EQ(change->change.from, 160u);
  EXPECT_EQ(change->change.to, 192u);
  EXPECT_EQ(change->ids, (std::vector<uint64_t>{1, 2}));
  EXPECT_FALSE(AwaitChange(100 * kMillisecondNs));

  loopback_.knobs.epoch = kEpoch + 1;
  change = AwaitChange();
  ASSERT_TRUE(change);
  EXPECT_EQ(change->change.verdict, static_cast<uint16_t>(Verdict::flush));
  EXPECT_EQ(change->change.epoch, kEpoch + 1);
  EXPECT_TRUE(AwaitLeases(0));
  loopback_.knobs.position = 208;
  EXPECT_FALSE(AwaitChange(100 * kMillisecondNs));
  EXPECT_EQ(Ask(other, 0).flags, 0);
  EXPECT_TRUE(loopback_.AwaitServer([](const auto& stats) { return stats.changes_pushed == 2; }));
}

TEST_P(TargetServerLeases, AreOverByTheClockAndLetTheServerSleep) {
  const auto target = loopback_.Up();
  EXPECT_EQ(Ask(target, 100).flags, protocol::kLeased);
  EXPECT_TRUE(loopback_.Await([&] { return loopback_.knobs.validations > 3; }, kSecondNs));
  EXPECT_TRUE(AwaitLeases(0));
  loopback_.knobs.position = 192;
  EXPECT_FALSE(AwaitChange(100 * kMillisecondNs));
  const uint64_t validations = loopback_.knobs.validations;
  EXPECT_FALSE(AwaitChange(200 * kMillisecondNs));
  EXPECT_EQ(loopback_.knobs.validations, validations);
}

TEST_P(TargetServerLeases, EndWithTheirSession) {
  const auto target = loopback_.Up();
  EXPECT_EQ(Ask(target, 60'000).flags, protocol::kLeased);
  EXPECT_TRUE(AwaitLeases(1));
  loopback_.client->Disconnect(target);
  EXPECT_TRUE(AwaitLeases(0));
  loopback_.client->Connect(target);
  ASSERT_TRUE(loopback_.AwaitEvent(TargetEvent::Kind::kUp));
  loopback_.knobs.position = 192;
  EXPECT_FALSE(AwaitChange(100 * kMillisecondNs));
}

TEST_P(TargetServerLeases, DoNotKeepASilentSessionAlive) {
  auto options = client_test::ServerOptions(GetParam());
  options.session_timeout_ns = 300 * kMillisecondNs;
  Loopback loopback(options);
  loopback.knobs.epoch = kEpoch;
  loopback.knobs.position = 160;
  const auto target = loopback.Up();
  const protocol::ValidateItem item{
      .epoch = kEpoch, .position = 160, .volume_id = kVolume, .reserved = 0};
  (void)loopback.client->PostValidate(target, std::span(&item, 1), kSecondNs, 60'000);
  const auto down = loopback.AwaitEvent(TargetEvent::Kind::kDown);
  ASSERT_TRUE(down);
  EXPECT_EQ(down->status, protocol::Status::closed);
  EXPECT_TRUE(loopback.AwaitServer([](const auto& stats) { return stats.volume_leases == 0; }));
}

TEST_P(TargetServerLeases, AreUnknownToAPeerThatDidNotOfferThem) {
  const auto old = Welcomed(0);
  EXPECT_EQ(old->Heard<protocol::Challenge>(MessageId::challenge)->features, 0u);
  Validate(*old, 0);
  ASSERT_TRUE(old->AwaitMessage(MessageId::validate_reply));
  loopback_.knobs.position = 192;
  EXPECT_FALSE(old->Await([&] { return old->Heard<protocol::Changed>(MessageId::changed); },
                          100 * kMillisecondNs));
  EXPECT_FALSE(old->is_lost());
  Validate(*old, 1);
  EXPECT_TRUE(old->AwaitLost());
  EXPECT_EQ(loopback_.server->stats().volume_leases, 0u);
}

TEST_P(TargetServerLeases, IgnoreFeaturesNobodyKnowsAndRefuseALeaseThatIsTooLong) {
  const auto peer = Welcomed(~uint64_t{0});
  EXPECT_EQ(peer->Heard<protocol::Challenge>(MessageId::challenge)->features,
            uint64_t{protocol::kLeases});
  Validate(*peer, protocol::kLeaseMsMax);
  ASSERT_TRUE(peer->AwaitMessage(MessageId::validate_reply));
  loopback_.knobs.position = 192;
  EXPECT_TRUE(peer->AwaitMessage(MessageId::changed));
  Validate(*peer, protocol::kLeaseMsMax + 1);
  EXPECT_TRUE(peer->AwaitLost());
  EXPECT_TRUE(AwaitLeases(0));
}

}  // namespace
}  // namespace server_test
