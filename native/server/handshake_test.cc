#include <algorithm>

#include "client/loopback_test.h"
#include "server/raw_peer_test.h"

// The versions, features and secrets that a target agrees to.
namespace server_test {
namespace {

using client_test::kSecondNs;
using client_test::kShm;
using client_test::kTcp;
using client_test::Loopback;
using protocol::MessageId;
using protocol::Status;

class Handshake : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Transports, Handshake, testing::Values(kTcp, kShm),
                         [](const auto& info) { return info.param == kTcp ? "tcp" : "shm"; });

TEST_P(Handshake, ServesOlderAndNewerProxiesInTheNewestVersionOfBoth) {
  Loopback loopback(GetParam());
  for (const uint16_t newest : {uint16_t{1}, protocol::kVersionMax, uint16_t{9}}) {
    RawPeer peer(loopback.server->port(), GetParam());
    protocol::Hello hello = RawPeer::Hello();
    hello.version_max = newest;
    peer.Say(MessageId::hello, hello);
    ASSERT_TRUE(peer.AwaitMessage(MessageId::challenge));
    const uint16_t version = peer.Heard<protocol::Challenge>(MessageId::challenge)->version;
    EXPECT_EQ(version, std::min(newest, protocol::kVersionMax));
    peer.Prove(Loopback::AddressOf(0).secrets[0]);
    EXPECT_TRUE(peer.AwaitMessage(MessageId::welcome));
  }
}

/// An attacker on the way takes a feature out of HELLO.
TEST_P(Handshake, RefusesAProofOverOtherFeaturesThanItHeard) {
  Loopback loopback(GetParam());
  RawPeer peer(loopback.server->port(), GetParam());
  protocol::Hello said = RawPeer::Hello();
  said.features = protocol::kLeases;
  peer.Say(MessageId::hello, RawPeer::Hello());
  ASSERT_TRUE(peer.AwaitMessage(MessageId::challenge));
  peer.Prove(Loopback::AddressOf(0).secrets[0], said);
  ASSERT_TRUE(peer.AwaitMessage(MessageId::refuse));
  const auto& refuse = *peer.Heard<protocol::Refuse>(MessageId::refuse);
  EXPECT_EQ(refuse.status, static_cast<uint16_t>(Status::unauthorized));
}

TEST_P(Handshake, HasSessionsWithEachOfTwoSecrets) {
  auto options = client_test::ServerOptions(GetParam());
  options.secrets = {"new", "old"};
  Loopback loopback(options);
  for (const ucx::Secrets& secrets :
       {ucx::Secrets{"new"}, {"old"}, {"old", "new"}, {"another", "old"}}) {
    client::TargetAddress address = loopback.Address();
    address.secrets = secrets;
    loopback.client->AddTarget(address);
    EXPECT_TRUE(loopback.AwaitEvent(client::TargetEvent::Kind::kUp)) << secrets[0];
  }
  client::TargetAddress address = loopback.Address();
  address.secrets = {"another", "one more"};
  loopback.client->AddTarget(address);
  const auto down = loopback.AwaitEvent(client::TargetEvent::Kind::kDown);
  ASSERT_TRUE(down);
  EXPECT_EQ(down->status, Status::unauthorized);
}

TEST_P(Handshake, TakesOtherSecretsForSessionsThatBegin) {
  Loopback loopback(GetParam());
  const client::TargetId target = loopback.Up();
  loopback.server->SetSecrets({"new"});
  loopback.client->AddTarget(loopback.Address());
  const auto down = loopback.AwaitEvent(client::TargetEvent::Kind::kDown);
  ASSERT_TRUE(down);
  EXPECT_EQ(down->status, Status::unauthorized);
  loopback.client->SetSecrets(down->target, {"new"});
  loopback.client->Connect(down->target);
  EXPECT_TRUE(loopback.AwaitEvent(client::TargetEvent::Kind::kUp));
  EXPECT_NE(loopback.client->PostPing(target, kSecondNs), 0u);
  EXPECT_TRUE(loopback.Await([&] { return !loopback.pongs.empty(); }));
}

}  // namespace
}  // namespace server_test
