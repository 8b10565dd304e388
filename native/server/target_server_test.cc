#include "server/target_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <random>

#include "client/loopback_test.h"
#include "server/raw_peer_test.h"

namespace server_test {
namespace {

using client::TargetEvent;
using client_test::kSecondNs;
using client_test::kShm;
using client_test::kTcp;
using client_test::Loopback;
using client_test::ServerOptions;
using protocol::MessageId;
using protocol::Status;
using server::SessionEvent;

/// The down event of one attempt to connect.
std::optional<TargetEvent> Refused(Loopback& loopback, const client::TargetAddress& address) {
  loopback.client->AddTarget(address);
  return loopback.AwaitEvent(TargetEvent::Kind::kDown);
}

void ExpectStillServing(Loopback& loopback) {
  const auto target = loopback.Up();
  EXPECT_EQ(loopback.Read(target, Loopback::WholeRead(65536)).status, Status::ok);
  loopback.ExpectLeasesHome();
}

class TargetServer : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Transports, TargetServer, testing::Values(kTcp, kShm),
                         [](const auto& info) { return info.param == kTcp ? "tcp" : "shm"; });

TEST_P(TargetServer, IsNotBelievedWithAnotherSecret) {
  Loopback loopback(GetParam());
  client::TargetAddress address = loopback.Address();
  address.secrets = {"another"};
  const auto down = Refused(loopback, address);
  ASSERT_TRUE(down);
  EXPECT_EQ(down->status, Status::unauthorized);
  ExpectStillServing(loopback);
}

TEST_P(TargetServer, RefusesAProofMadeWithAnotherSecret) {
  Loopback loopback(GetParam());
  RawPeer peer(loopback.server->port(), GetParam());
  peer.Say(MessageId::hello, RawPeer::Hello());
  ASSERT_TRUE(peer.AwaitMessage(MessageId::challenge));
  peer.Prove("another");
  ASSERT_TRUE(peer.AwaitMessage(MessageId::refuse));
  EXPECT_EQ(peer.Heard<protocol::Refuse>(MessageId::refuse)->status,
            static_cast<uint16_t>(Status::unauthorized));
  EXPECT_TRUE(peer.AwaitLost());
  EXPECT_EQ(peer.Heard<protocol::Welcome>(MessageId::welcome), nullptr);
  ExpectStillServing(loopback);
  EXPECT_TRUE(loopback.AwaitServer([](const auto& stats) { return stats.sessions_refused == 1; }));
}

TEST_P(TargetServer, TellsWhatBecameOfEachSessionOnce) {
  using Kind = SessionEvent::Kind;
  Loopback loopback(GetParam());
  RawPeer peer(loopback.server->port(), GetParam());
  peer.Say(MessageId::hello, RawPeer::Hello());
  ASSERT_TRUE(peer.AwaitMessage(MessageId::challenge));
  peer.Prove("another");
  EXPECT_TRUE(peer.AwaitLost());
  ExpectStillServing(loopback);
  EXPECT_TRUE(loopback.AwaitServer([](const auto& stats) { return stats.sessions_total == 1; }));
  const std::vector<SessionEvent> events = loopback.server->TakeSessionEvents();
  ASSERT_GE(events.size(), 2u);
  EXPECT_EQ(events[0].kind, Kind::kRefused);
  EXPECT_EQ(events[0].status, Status::unauthorized);
  EXPECT_EQ(events[1].kind, Kind::kWelcomed);
  EXPECT_NE(events[1].session_id, events[0].session_id);
  for (const SessionEvent& event : loopback.server->TakeSessionEvents()) {
    EXPECT_NE(event.kind, Kind::kRefused);
    EXPECT_NE(event.kind, Kind::kWelcomed);
  }
}

TEST_P(TargetServer, RefusesAnotherVersionAndSaysWhichItSpeaks) {
  Loopback loopback(GetParam());
  RawPeer peer(loopback.server->port(), GetParam());
  protocol::Hello hello = RawPeer::Hello();
  hello.version_min = protocol::kVersionMax + 1;
  hello.version_max = protocol::kVersionMax + 2;
  peer.Say(MessageId::hello, hello);
  ASSERT_TRUE(peer.AwaitMessage(MessageId::refuse));
  const auto& refuse = *peer.Heard<protocol::Refuse>(MessageId::refuse);
  EXPECT_EQ(refuse.status, static_cast<uint16_t>(Status::unsupported_version));
  EXPECT_EQ(refuse.version_min, protocol::kVersionMin);
  EXPECT_EQ(refuse.version_max, protocol::kVersionMax);
  EXPECT_TRUE(peer.AwaitLost());
}

TEST_P(TargetServer, RefusesAHelloThatIsNone) {
  Loopback loopback(GetParam());
  RawPeer peer(loopback.server->port(), GetParam());
  protocol::Hello hello = RawPeer::Hello();
  hello.magic = 1;
  peer.Say(MessageId::hello, hello);
  ASSERT_TRUE(peer.AwaitMessage(MessageId::refuse));
  EXPECT_EQ(peer.Heard<protocol::Refuse>(MessageId::refuse)->status,
            static_cast<uint16_t>(Status::bad_request));
}

TEST_P(TargetServer, ClosesOnARequestBeforeTheHandshakeIsOver) {
  Loopback loopback(GetParam());
  protocol::Read read{};
  read.request_id = 1;
  read.needle_id = 16;
  read.volume_id = client_test::kVolume;
  read.cookie = client_test::kCookie;
  read.length = read.whole_bytes_max = read.budget_bytes = 16;
  read.timeout_ns = kSecondNs;
  protocol::Validate validate{};
  validate.request_id = 1;
  validate.timeout_ns = kSecondNs;
  for (const bool is_challenged : {false, true}) {
    RawPeer reader(loopback.server->port(), GetParam());
    RawPeer validator(loopback.server->port(), GetParam());
    RawPeer pinger(loopback.server->port(), GetParam());
    for (RawPeer* peer : {&reader, &validator, &pinger}) {
      if (!is_challenged) continue;
      peer->Say(MessageId::hello, RawPeer::Hello());
      ASSERT_TRUE(peer->AwaitMessage(MessageId::challenge));
    }
    reader.Say(MessageId::read, read);
    validator.Say(MessageId::validate, validate);
    pinger.Say(MessageId::ping, protocol::Ping{.request_id = 1, .sent_ns = 1});
    for (RawPeer* peer : {&reader, &validator, &pinger}) EXPECT_TRUE(peer->AwaitLost());
    EXPECT_EQ(reader.Heard<protocol::ReadReply>(MessageId::read_reply), nullptr);
  }
  ExpectStillServing(loopback);
}

TEST_P(TargetServer, ClosesOnMalformedRequestsOfAWelcomedPeer) {
  Loopback loopback(GetParam());
  for (int kind = 0; kind < 5; ++kind) {
    RawPeer peer(loopback.server->port(), GetParam());
    peer.Say(MessageId::hello, RawPeer::Hello());
    ASSERT_TRUE(peer.AwaitMessage(MessageId::challenge));
    peer.Prove("a shared secret");
    ASSERT_TRUE(peer.AwaitMessage(MessageId::volumes));
    protocol::Validate validate{};
    validate.request_id = 1;
    validate.timeout_ns = kSecondNs;
    switch (kind) {
      case 0:
        peer.Say(MessageId::read, protocol::Read{});
        break;
      case 1:
        validate.item_count = 2;  // but one row
        peer.Say(MessageId::validate, validate,
                 std::vector<std::byte>(sizeof(protocol::ValidateItem)));
        break;
      case 2:
        validate.item_count = protocol::kValidateItemsMax + 1;
        peer.Say(MessageId::validate, validate,
                 std::vector<std::byte>(sizeof(protocol::ValidateItem) * validate.item_count));
        break;
      case 3:
        peer.Say(MessageId::hello, RawPeer::Hello());
        break;
      case 4:
        peer.Say(MessageId::read, uint8_t{1});
        break;
    }
    EXPECT_TRUE(peer.AwaitLost()) << kind;
  }
  ExpectStillServing(loopback);
}

/// Junk of three kinds: another protocol's, any bytes, and any bytes in the frame of UCX's
/// connection manager.
std::string Junk(int kind, std::mt19937& random) {
  if (kind == 0) return "GET /3,01637037d6 HTTP/1.1\r\nHost: a\r\n\r\n";
  std::string junk(1 + random() % 4096, '\0');
  for (char& c : junk) c = static_cast<char>(random());
  if (kind == 1) return junk;
  const uint64_t length = junk.size();
  std::string frame(sizeof(length) + 1, '\0');
  std::memcpy(frame.data(), &length, sizeof(length));
  return frame + junk.substr(0, 200);
}

TEST_P(TargetServer, SurvivesGarbageOnItsPort) {
  Loopback loopback(GetParam());
  std::mt19937 random(7);
  for (int i = 0; i < 90; ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(loopback.server->port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    const std::string junk = Junk(i % 3, random);
    EXPECT_GT(send(fd, junk.data(), junk.size(), MSG_NOSIGNAL), 0);
    if (i % 2 == 0) shutdown(fd, SHUT_WR);
    close(fd);
  }
  ExpectStillServing(loopback);
}

TEST_P(TargetServer, ClosesPeersThatDoNotProveThemselvesInTime) {
  auto options = ServerOptions(GetParam());
  options.handshake_timeout_ns = 200'000'000;
  Loopback loopback(options);
  RawPeer silent(loopback.server->port(), GetParam());
  RawPeer challenged(loopback.server->port(), GetParam());
  challenged.Say(MessageId::hello, RawPeer::Hello());
  EXPECT_TRUE(challenged.AwaitLost());
  EXPECT_TRUE(silent.AwaitLost());
  EXPECT_TRUE(loopback.AwaitServer([](const auto& stats) {
    return stats.sessions_pending == 0 && stats.sessions_refused == 2;
  }));
}

TEST_P(TargetServer, RefusesMoreSessionsThanItMayHave) {
  auto options = ServerOptions(GetParam());
  options.sessions_max = 2;
  Loopback loopback(options);
  loopback.Up();
  loopback.Up();
  const auto down = Refused(loopback, loopback.Address());
  ASSERT_TRUE(down);
  EXPECT_EQ(down->status, Status::overload);
  EXPECT_TRUE(loopback.AwaitServer(
      [](const auto& stats) { return stats.sessions_active == 2 && stats.sessions_refused == 1; }));
}

TEST_P(TargetServer, SaysGoodbyeToAnIdleSession) {
  auto options = ServerOptions(GetParam());
  options.session_timeout_ns = 300'000'000;
  Loopback loopback(options);
  loopback.Up();
  const auto down = loopback.AwaitEvent(TargetEvent::Kind::kDown);
  ASSERT_TRUE(down);
  EXPECT_EQ(down->status, Status::closed);
  EXPECT_TRUE(loopback.AwaitServer([](const auto& stats) { return stats.sessions_active == 0; }));
  EXPECT_EQ(loopback.server->stats().sessions_lost, 0u);
}

TEST_P(TargetServer, FinishesWhatIsInFlightWhenItStops) {
  Loopback loopback(GetParam());
  const auto target = loopback.Up();
  (void)loopback.client->PostRead(target, Loopback::WholeRead(1 << 20, client_test::kHeldVolume));
  ASSERT_TRUE(loopback.Await([&] { return loopback.knobs.held == 1; }));
  std::atomic<bool> stopped = false;
  loopback.server->Stop([&] { stopped = true; });
  ASSERT_TRUE(loopback.AwaitServer([](const auto& stats) { return stats.sessions_active == 0; }));
  // Turned away by the client, or by the target if GOODBYE has not been read yet.
  const Status late = loopback.Read(target, Loopback::WholeRead(16)).status;
  EXPECT_TRUE(late == Status::not_connected || late == Status::overload)
      << protocol::StatusName(late);
  EXPECT_FALSE(stopped);
  loopback.knobs.is_released = true;
  loopback.knobs.Wake();
  ASSERT_TRUE(loopback.Await([&] { return !loopback.reads.empty(); }));
  EXPECT_EQ(loopback.reads[0].status, Status::ok);
  const auto down = loopback.AwaitEvent(TargetEvent::Kind::kDown);
  ASSERT_TRUE(down);
  EXPECT_EQ(down->status, Status::closed);
  EXPECT_TRUE(loopback.Await([&] { return stopped.load(); }));
}

TEST_P(TargetServer, StopsWithinItsBoundWhenAnEngineDoesNotAnswer) {
  auto options = ServerOptions(GetParam());
  options.drain_timeout_ns = 300'000'000;
  Loopback loopback(options);
  const auto target = loopback.Up();
  (void)loopback.client->PostRead(target, Loopback::WholeRead(1 << 20, client_test::kHeldVolume));
  ASSERT_TRUE(loopback.Await([&] { return loopback.knobs.held == 1; }));
  std::atomic<bool> stopped = false;
  loopback.server->Stop([&] { stopped = true; });
  EXPECT_TRUE(loopback.Await([&] { return stopped.load(); }, 3 * kSecondNs));
  ASSERT_TRUE(loopback.Await([&] { return !loopback.reads.empty(); }));
  EXPECT_NE(loopback.reads[0].status, Status::ok);
}

TEST_P(TargetServer, EndsAtOnceWithReadsInFlight) {
  for (const uint64_t bytes : {4096ull, 4ull << 20}) {
    Loopback loopback(GetParam());
    const auto target = loopback.Up();
    for (int i = 0; i < 8; ++i) {
      (void)loopback.client->PostRead(
          target,
          Loopback::WholeRead(bytes, i % 2 == 0 ? client_test::kHeldVolume : client_test::kVolume));
    }
    ASSERT_TRUE(loopback.Await([&] { return loopback.knobs.held == 4; }));
    loopback.server.reset();
    const uint64_t began_ns = protocol::NowNs();
    ASSERT_TRUE(loopback.Await([&] { return loopback.reads.size() == 8; }));
    EXPECT_LT(protocol::NowNs() - began_ns, 2 * kSecondNs);
    EXPECT_EQ(loopback.client->requests_in_flight(), 0u);
    uint64_t lost = 0;
    for (const auto& read : loopback.reads) lost += read.status == Status::peer_lost;
    EXPECT_GE(lost, 4u);
    ASSERT_TRUE(loopback.AwaitEvent(TargetEvent::Kind::kDown));
    loopback.reads.clear();
    EXPECT_TRUE(loopback.Await([&] { return loopback.arena->stats().leases_outstanding == 0; }));
  }
}

// A client that ended while shared-memory transfers were queued aborted its process, one time in
// three under load: UCX destroyed its worker before they had been discarded.
TEST_P(TargetServer, TakesItsLeasesHomeWhenAProxyVanishesInTheMiddleOfTransfers) {
  Loopback loopback(ServerOptions(GetParam(), client_test::kLargeArenaBytes),
                    client_test::kLargeArenaBytes);
  for (int round = 0; round < 8; ++round) {
    const auto target = loopback.Up();
    for (int i = 0; i < 16; ++i) {
      (void)loopback.client->PostRead(target, Loopback::WholeRead(8 << 20));
    }
    ASSERT_TRUE(loopback.Await([&] { return !loopback.reads.empty(); }));
    loopback.reads.clear();
    std::string error;
    loopback.client.reset();
    loopback.client = client::CreateSessionClient({.tls = GetParam()}, *loopback.arena, error);
    ASSERT_TRUE(loopback.client) << error;
    EXPECT_TRUE(loopback.AwaitServer([](const auto& stats) { return stats.sessions_active == 0; }));
    loopback.ExpectLeasesHome();
  }
  ExpectStillServing(loopback);
}

TEST_P(TargetServer, HandsConfirmationsToItsEngine) {
  Loopback loopback(GetParam());
  loopback.server->Confirm(
      42, {{.volume_id = 7, .size_bytes = 1, .file_count = 1, .modified_at_s = 1}});
  EXPECT_TRUE(loopback.Await([&] { return loopback.knobs.confirmed_ns == 42; }));
}

TEST_P(TargetServer, TellsWhenItsEngineWantsAPoll) {
  Loopback loopback(GetParam());
  std::atomic<int> told = 0;
  loopback.server->OnPollWanted([&told] { ++told; });
  const auto target = loopback.Up();
  EXPECT_EQ(loopback.Read(target, Loopback::WholeRead(65536)).status, Status::ok);
  EXPECT_EQ(told, 0);
  const protocol::ValidateItem item{.epoch = 0, .position = 0, .volume_id = 99, .reserved = 0};
  loopback.client->PostValidate(target, {&item, 1}, kSecondNs, 0);
  EXPECT_TRUE(loopback.Await([&] { return told == 1; }));
  loopback.server->OnPollWanted(nullptr);
}

TEST(TargetServerOptions, AreRefusedWithTheReason) {
  client_test::SetUcxEnvironment();
  const auto engine = [](memory::Arena&, engine::ReadSink&,
                         std::string& error) -> std::unique_ptr<engine::Engine> {
    error = "no directory";
    return nullptr;
  };
  std::string error;
  auto options = ServerOptions(kTcp);
  options.arena.bytes = 8 << 20;
  EXPECT_EQ(server::TargetServer::Create(options, engine, error), nullptr);
  EXPECT_EQ(error, "no directory");
  options.host = "no.literal";
  EXPECT_EQ(server::TargetServer::Create(options, engine, error), nullptr);
  EXPECT_NE(error.find("no.literal"), std::string::npos);
  options = ServerOptions("no_such_transport");
  options.arena.bytes = 8 << 20;
  EXPECT_EQ(server::TargetServer::Create(options, engine, error), nullptr);
  EXPECT_NE(error.find("no_such_transport"), std::string::npos) << error;
}

}  // namespace
}  // namespace server_test
