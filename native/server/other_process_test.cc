// A target in a process of its own, so that it can be killed and stopped.
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "client/loopback_test.h"

extern char** environ;

namespace server_test {
namespace {

using client::TargetEvent;
using client_test::kSecondNs;
using client_test::kShm;
using client_test::kTcp;
using client_test::Loopback;
using protocol::Status;

constexpr char kPortFdVariable[] = "SEAWEED_TEST_PORT_FD";
constexpr char kTlsVariable[] = "SEAWEED_TEST_TLS";

/// The child's side: serves until it is killed, at most a minute.
TEST(OtherProcess, DISABLED_Serves) {
  const char* const port_fd = std::getenv(kPortFdVariable);
  const char* const tls = std::getenv(kTlsVariable);
  ASSERT_TRUE(port_fd != nullptr && tls != nullptr);
  Loopback loopback(client_test::ServerOptions(tls, client_test::kLargeArenaBytes), 8 << 20);
  const auto [listener, stream_port] = client_test::TcpListener();
  const bool is_stream = client_test::IsStream(tls);
  const uint16_t port = is_stream ? stream_port : loopback.server->port();
  ASSERT_EQ(write(std::atoi(port_fd), &port, sizeof(port)), static_cast<ssize_t>(sizeof(port)));
  if (!is_stream) sleep(60);
  alarm(60);
  while (true) {
    loopback.server->Adopt(client_test::AcceptTcp(listener), client_test::SecurityOf(tls, true));
  }
}

class Child {
 public:
  explicit Child(const char* tls) {
    int fds[2];
    EXPECT_EQ(pipe(fds), 0);
    setenv(kPortFdVariable, std::to_string(fds[1]).c_str(), 1);
    setenv(kTlsVariable, tls, 1);
    char program[] = "/proc/self/exe";
    char filter[] = "--gtest_filter=OtherProcess.DISABLED_Serves";
    char disabled[] = "--gtest_also_run_disabled_tests";
    char brief[] = "--gtest_brief=1";
    char* arguments[] = {program, filter, disabled, brief, nullptr};
    EXPECT_EQ(posix_spawn(&pid_, program, nullptr, nullptr, arguments, environ), 0);
    close(fds[1]);
    EXPECT_EQ(read(fds[0], &port_, sizeof(port_)), static_cast<ssize_t>(sizeof(port_)));
    close(fds[0]);
  }
  ~Child() { Kill(); }
  void Kill() {
    if (pid_ == 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  /// Returns when it has stopped: the signal alone leaves it time for an answer.
  void Hang() const {
    kill(pid_, SIGSTOP);
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, WUNTRACED), pid_);
    EXPECT_TRUE(WIFSTOPPED(status));
  }
  void GoOn() const { kill(pid_, SIGCONT); }
  uint16_t port() const { return port_; }

 private:
  pid_t pid_ = 0;
  uint16_t port_ = 0;
};

class OtherProcess : public testing::TestWithParam<const char*> {
 protected:
  client::TargetId Connect(Loopback& loopback, uint64_t connect_timeout_ns = 5 * kSecondNs) {
    const bool is_stream = client_test::IsStream(GetParam());
    client::TargetAddress address = Loopback::AddressOf(is_stream ? 0 : child.port());
    address.connect_timeout_ns = connect_timeout_ns;
    const client::TargetId target = loopback.client->AddTarget(address);
    if (is_stream) {
      loopback.client->ConnectStream(target, client_test::TcpConnection(child.port()),
                                     client_test::SecurityOf(GetParam(), false),
                                     connect_timeout_ns);
    }
    return target;
  }
  client::TargetId Up(Loopback& loopback) {
    const client::TargetId target = Connect(loopback);
    EXPECT_TRUE(loopback.AwaitEvent(TargetEvent::Kind::kUp));
    return target;
  }
  Child child{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Transports, OtherProcess,
                         testing::Values(kTcp, kShm, client_test::kStream, client_test::kTlsStream),
                         [](const auto& info) { return client_test::NameOf(info.param); });

TEST_P(OtherProcess, FailsWhatIsInFlightSoonAfterItIsKilled) {
  Loopback loopback(GetParam(), client_test::kLargeArenaBytes);
  const auto target = Up(loopback);
  for (int i = 0; i < 16; ++i) {
    (void)loopback.client->PostRead(target, Loopback::WholeRead(4096, client_test::kHeldVolume));
  }
  for (int i = 0; i < 8; ++i) (void)loopback.client->PostRead(target, Loopback::WholeRead(8 << 20));
  ASSERT_TRUE(loopback.Await([&] { return !loopback.reads.empty(); }));
  child.Kill();
  const uint64_t killed_ns = protocol::NowNs();
  ASSERT_TRUE(loopback.Await([&] { return loopback.reads.size() == 24; }));
  EXPECT_LT(protocol::NowNs() - killed_ns, 2 * kSecondNs);
  for (const auto& read : loopback.reads) {
    EXPECT_TRUE(read.status == Status::ok || read.status == Status::peer_lost)
        << protocol::StatusName(read.status);
  }
  const auto down = loopback.AwaitEvent(TargetEvent::Kind::kDown);
  ASSERT_TRUE(down);
  EXPECT_EQ(down->status, Status::peer_lost);
  EXPECT_FALSE(down->detail.empty());
  loopback.ExpectLeasesHome();
  if (client_test::IsStream(GetParam())) return;  // its connection is another's to make
  loopback.client->Connect(target);
  const auto refused = loopback.AwaitEvent(TargetEvent::Kind::kDown);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, Status::not_connected);
}

TEST_P(OtherProcess, IsGivenUpAtTheDeadlineWhenItHangs) {
  Loopback loopback(GetParam());
  const auto target = Up(loopback);
  child.Hang();
  auto command = Loopback::WholeRead(4096);
  command.timeout_ns = 200'000'000;
  const uint64_t began_ns = protocol::NowNs();
  for (int i = 0; i < 4; ++i) {
    if (i == 2) command.needle_id = command.length = 1 << 20;  // too long to come eagerly
    (void)loopback.client->PostRead(target, command);
  }
  ASSERT_TRUE(loopback.Await([&] { return loopback.reads.size() == 4; }));
  EXPECT_LT(protocol::NowNs() - began_ns, kSecondNs);
  for (const auto& read : loopback.reads) EXPECT_EQ(read.status, Status::deadline);
  loopback.reads.clear();

  // The process wakes up: the late answers are dropped and the session goes on.
  child.GoOn();
  EXPECT_EQ(loopback.Read(target, Loopback::WholeRead(65536)).status, Status::ok);
  EXPECT_EQ(loopback.client->stats().late_replies, 4u);
  ASSERT_TRUE(loopback.Await([&] {
    loopback.pongs.clear();
    (void)loopback.client->PostPing(target, kSecondNs);
    return loopback.Await([&] { return !loopback.pongs.empty(); }) &&
           loopback.pongs[0].pong.arena_bytes_used == 0;
  })) << "the target's slabs are out for answers that no client takes";
  loopback.ExpectLeasesHome();
}

TEST_P(OtherProcess, GivesTheSlabsBackWhenItHangsInTheMiddleOfATransfer) {
  Loopback loopback(GetParam());
  const auto target = Up(loopback);
  auto command = Loopback::WholeRead(16 << 20);
  command.timeout_ns = 3 * kSecondNs;  // long enough to begin on a busy machine
  for (int i = 0; i < 12; ++i) (void)loopback.client->PostRead(target, command);
  ASSERT_TRUE(loopback.Await([&] { return loopback.arena->stats().leases_outstanding > 0; }));
  child.Hang();
  ASSERT_TRUE(loopback.Await([&] { return loopback.reads.size() == 12; }));
  loopback.ExpectLeasesHome();
}

TEST_P(OtherProcess, IsGivenUpAtTheConnectTimeoutWhenItHangs) {
  Loopback loopback(GetParam());
  child.Hang();
  Connect(loopback, 300'000'000);
  const uint64_t began_ns = protocol::NowNs();
  const auto down = loopback.AwaitEvent(TargetEvent::Kind::kDown);
  ASSERT_TRUE(down);
  EXPECT_EQ(down->status, Status::deadline);
  EXPECT_LT(protocol::NowNs() - began_ns, kSecondNs);
}

}  // namespace
}  // namespace server_test
