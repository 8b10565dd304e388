#include "ucx/waiting_connections.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <thread>

#include "client/loopback_test.h"
#include "server/raw_peer_test.h"

// UCX has no time-out for a peer that connects and says nothing, and takes 1,024 of them at most.
extern char** environ;

namespace server_test {
namespace {

using client_test::kSecondNs;
using client_test::kTcp;
using client_test::Loopback;
using client_test::ServerOptions;
using protocol::MessageId;
using protocol::Status;
using ucx::ConnectionCounts;

class Connection {
 public:
  explicit Connection(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }
  Connection(Connection&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Connection() {
    if (fd_ >= 0) close(fd_);
  }

  bool IsEnded() const {
    pollfd ready{fd_, POLLIN | POLLRDHUP, 0};
    return poll(&ready, 1, 0) > 0;
  }

 private:
  int fd_;
};

std::vector<Connection> Connections(uint16_t port, size_t count) {
  std::vector<Connection> connections;
  for (size_t at = 0; at < count; ++at) connections.emplace_back(port);
  return connections;
}

/// Looks until `done` says so of the counts.
template <typename Done>
ConnectionCounts LookUntil(server::TargetServer& server, Done&& done) {
  const uint64_t give_up_ns = protocol::NowNs() + 10 * kSecondNs;
  ConnectionCounts counts = server.LookAtConnections();
  while (!done(counts) && protocol::NowNs() < give_up_ns) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    counts = server.LookAtConnections();
  }
  return counts;
}

TEST(WaitingConnections, AreEndedInTimeAndSessionsAreNot) {
  auto options = ServerOptions(kTcp);
  options.handshake_timeout_ns = 500'000'000;
  Loopback loopback(options);
  const auto target = loopback.Up();
  const auto silent = Connections(loopback.server->port(), 20);
  const auto before =
      LookUntil(*loopback.server, [](const auto& counts) { return counts.waiting == 20; });
  EXPECT_EQ(before.waiting, 20u);
  EXPECT_EQ(before.ended, 0u);
  EXPECT_GT(before.descriptors, 20u);

  const auto after =
      LookUntil(*loopback.server, [](const auto& counts) { return counts.ended == 20; });
  EXPECT_EQ(after.waiting, 0u);
  EXPECT_EQ(after.ended, 20u);
  EXPECT_TRUE(std::ranges::all_of(silent, &Connection::IsEnded));
  EXPECT_EQ(loopback.Read(target, Loopback::WholeRead(65536)).status, Status::ok);
  EXPECT_EQ(loopback.server->LookAtConnections().ended, 20u);
  EXPECT_EQ(loopback.server->stats().sessions_lost, 0u);
}

TEST(WaitingConnections, AreBoundedForEachAddressTheOldestFirst) {
  auto options = ServerOptions(kTcp);
  options.handshake_timeout_ns = 60 * kSecondNs;
  options.pending_per_address_max = 4;
  Loopback loopback(options);
  const auto old = Connections(loopback.server->port(), 3);
  LookUntil(*loopback.server, [](const auto& counts) { return counts.waiting == 3; });
  const auto young = Connections(loopback.server->port(), 3);
  const auto counts =
      LookUntil(*loopback.server, [](const auto& looked) { return looked.ended == 2; });
  EXPECT_EQ(counts.waiting, 4u);
  EXPECT_EQ(std::ranges::count_if(old, &Connection::IsEnded), 2);
  EXPECT_EQ(std::ranges::count_if(young, &Connection::IsEnded), 0);
}

TEST(WaitingConnections, OfUcxPeersThatDoNotGreetAreRefusedBeyondTheBound) {
  auto options = ServerOptions(kTcp);
  options.pending_per_address_max = 2;
  Loopback loopback(options);
  RawPeer first(loopback.server->port(), kTcp);
  RawPeer second(loopback.server->port(), kTcp);
  ASSERT_TRUE(loopback.AwaitServer([&](const auto& stats) {
    for (RawPeer* peer : {&first, &second}) {
      peer->Await([rounds = 0]() mutable { return ++rounds > 1; });
    }
    return stats.sessions_pending == 2;
  }));
  RawPeer third(loopback.server->port(), kTcp);
  EXPECT_TRUE(third.AwaitLost());
  EXPECT_FALSE(first.is_lost());
  EXPECT_EQ(loopback.server->stats().sessions_pending, 2u);
}

constexpr char kAttackedPortVariable[] = "SEAWEED_TEST_ATTACKED_PORT";

/// The child's side: two workers of UCX in one process would take each other's events.
TEST(WaitingConnections, DISABLED_ComeAgainAndAgain) {
  const char* const port = std::getenv(kAttackedPortVariable);
  ASSERT_NE(port, nullptr);
  std::string error;
  const auto context = ucx::Context::Create({.tls = kTcp}, error);
  const auto worker = ucx::Worker::Create(*context, error);
  const auto address = ucx::ParseAddress("127.0.0.1", static_cast<uint16_t>(std::atoi(port)));
  struct Caller {
    ucx::Endpoint endpoint;
    bool is_lost = true;
    uint64_t called_ns = 0;
  };
  const auto on_lost = [](void* arg, ucp_ep_h, ucs_status_t) {
    static_cast<Caller*>(arg)->is_lost = true;
  };
  std::vector<Caller> callers(70);
  const uint64_t until_ns = protocol::NowNs() + 6 * kSecondNs;
  while (protocol::NowNs() < until_ns) {
    for (Caller& each : callers) {
      if (!each.is_lost || protocol::NowNs() - each.called_ns < kSecondNs / 20) continue;
      if (each.endpoint) each.endpoint.ForceClose();
      each.is_lost = false;
      each.called_ns = protocol::NowNs();
      ucs_status_t status = UCS_OK;
      each.endpoint = ucx::Endpoint::Connect(*worker, address->get(), address->bytes,
                                             {.on_error = on_lost, .arg = &each}, status);
      for (int round = 0; round < 20; ++round) worker->Progress();
    }
    worker->Progress();
    usleep(500);
  }
  _exit(0);
}

/// With UCX 1.13.1 the target's process ended here, within a second (tcp_sockcm_ep.c:416).
TEST(WaitingConnections, ThatAreRefusedAgainAndAgainHurtNothing) {
  auto options = ServerOptions(kTcp);
  options.pending_per_address_max = 2;
  Loopback loopback(options);
  const auto target = loopback.Up();
  setenv(kAttackedPortVariable, std::to_string(loopback.server->port()).c_str(), 1);
  char program[] = "/proc/self/exe";
  char filter[] = "--gtest_filter=WaitingConnections.DISABLED_ComeAgainAndAgain";
  char disabled[] = "--gtest_also_run_disabled_tests";
  char brief[] = "--gtest_brief=1";
  char* arguments[] = {program, filter, disabled, brief, nullptr};
  pid_t attacker = 0;
  ASSERT_EQ(posix_spawn(&attacker, program, nullptr, nullptr, arguments, environ), 0);
  waitpid(attacker, nullptr, 0);
  EXPECT_GT(loopback.server->stats().sessions_refused, 100u);
  EXPECT_EQ(loopback.Read(target, Loopback::WholeRead(65536)).status, Status::ok);
}

/// With UCX 1.13.1 each of these was a call into whatever lay in the memory, before any secret.
TEST(WaitingConnections, MaySendMessagesThatNothingIsRegisteredFor) {
  Loopback loopback(ServerOptions(kTcp));
  RawPeer peer(loopback.server->port(), kTcp);
  for (const int id : {0, 15, 24, 30'000, 65'535}) {
    peer.Say(static_cast<MessageId>(id), RawPeer::Hello());
  }
  peer.Say(MessageId::hello, RawPeer::Hello());
  EXPECT_TRUE(peer.AwaitMessage(MessageId::challenge));
  const auto target = loopback.Up();
  EXPECT_EQ(loopback.Read(target, Loopback::WholeRead(65536)).status, Status::ok);
}

TEST(WaitingConnections, KnowAPeerInBothFamilies) {
  sockaddr_storage storage{};
  auto& ipv4 = reinterpret_cast<sockaddr_in&>(storage);
  ipv4.sin_family = AF_INET;
  ipv4.sin_port = htons(80);
  inet_pton(AF_INET, "10.1.2.3", &ipv4.sin_addr);
  const auto plain = ucx::PeerEndOf(storage);
  storage = {};
  auto& ipv6 = reinterpret_cast<sockaddr_in6&>(storage);
  ipv6.sin6_family = AF_INET6;
  ipv6.sin6_port = htons(80);
  inet_pton(AF_INET6, "::ffff:10.1.2.3", &ipv6.sin6_addr);
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain, ucx::PeerEndOf(storage));
  storage.ss_family = AF_UNIX;
  EXPECT_FALSE(ucx::PeerEndOf(storage));
}

}  // namespace
}  // namespace server_test
