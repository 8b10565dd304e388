#include "ucx/peer_filter.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "ucx/handles.h"
#include "ucx/listen_hook.h"

namespace ucx {
namespace {

/// A TCP socket at an address of loopback.
class Socket {
 public:
  explicit Socket(const std::string& host) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    inet_pton(AF_INET, host.c_str(), &address.sin_addr);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ~Socket() { close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int fd() const { return fd_; }

  sockaddr_in name() const {
    sockaddr_in name{};
    socklen_t bytes = sizeof(name);
    getsockname(fd_, reinterpret_cast<sockaddr*>(&name), &bytes);
    return name;
  }

 private:
  int fd_;
};

class Listener {
 public:
  Listener() : socket_("127.0.0.1") { listen(socket_.fd(), 64); }

  uint16_t port() const { return ntohs(socket_.name().sin_port); }

  /// Whether a connection from `host` is established within some 100 ms.
  bool Takes(const std::string& host) const {
    const Socket peer(host);
    return Connect(peer);
  }

  bool Connect(const Socket& peer) const {
    const sockaddr_in name = socket_.name();
    (void)connect(peer.fd(), reinterpret_cast<const sockaddr*>(&name), sizeof(name));
    pollfd fd{peer.fd(), POLLOUT, 0};
    return poll(&fd, 1, 100) == 1 && (fd.revents & (POLLERR | POLLHUP)) == 0;
  }

  int Accept() const { return accept(socket_.fd(), nullptr, nullptr); }

 private:
  Socket socket_;
};

HostAddress Host(const std::string& text) {
  HostAddress host{};
  if (inet_pton(AF_INET6, text.c_str(), host.data()) == 1) return host;
  host[10] = host[11] = std::byte{0xff};
  EXPECT_EQ(inet_pton(AF_INET, text.c_str(), &host[12]), 1);
  return host;
}

std::set<HostAddress> Hosts(size_t count, const std::string& prefix) {
  std::set<HostAddress> hosts;
  for (size_t i = 0; i < count; ++i)
    hosts.insert(Host(prefix + std::to_string(i / 250) + "." + std::to_string(2 + i % 250)));
  return hosts;
}

class PeerFilterTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(listener_.Takes("127.0.0.1"));
    close(listener_.Accept());
    ASSERT_TRUE(filter_.Guard(std::vector{listener_.port()}, error_)) << error_;
  }
  void Admit(const std::set<HostAddress>& hosts) {
    ASSERT_TRUE(filter_.Admit(hosts, error_)) << error_;
  }

  Listener listener_;
  PeerFilter filter_;
  std::string error_;
};

TEST_F(PeerFilterTest, AdmitsNoHostAtFirst) { EXPECT_FALSE(listener_.Takes("127.0.0.1")); }

TEST_F(PeerFilterTest, AdmitsTheHostsOfTheLastCallAlone) {
  Admit({Host("127.0.0.2"), Host("fd00::2")});
  EXPECT_TRUE(listener_.Takes("127.0.0.2"));
  EXPECT_FALSE(listener_.Takes("127.0.0.3"));
  Admit({Host("127.0.0.3")});
  EXPECT_TRUE(listener_.Takes("127.0.0.3"));
  EXPECT_FALSE(listener_.Takes("127.0.0.2"));
}

TEST_F(PeerFilterTest, FindsEachOfManyHosts) {
  std::set<HostAddress> hosts;
  for (int i = 1; i <= 250; ++i) hosts.insert(Host("127.0.7." + std::to_string(i)));
  hosts.erase(Host("127.0.7.100"));
  Admit(hosts);
  for (const int i : {1, 2, 8, 9, 64, 99, 101, 125, 126, 249, 250})
    EXPECT_TRUE(listener_.Takes("127.0.7." + std::to_string(i))) << i;
  for (const char* host : {"127.0.7.100", "127.0.7.251", "127.0.6.1", "127.0.8.1"})
    EXPECT_FALSE(listener_.Takes(host)) << host;
}

TEST_F(PeerFilterTest, KeepsTheHostsThatItHasWhenThereAreTooMany) {
  Admit({Host("127.0.0.2")});
  EXPECT_FALSE(filter_.Admit(Hosts(2 * kIpv4HostsMax, "127.1."), error_));
  EXPECT_NE(error_.find(std::to_string(kIpv4HostsMax) + " IPv4"), std::string::npos) << error_;
  EXPECT_TRUE(listener_.Takes("127.0.0.2"));
  EXPECT_FALSE(listener_.Takes("127.1.0.2"));
  EXPECT_TRUE(filter_.Admits(Host("127.0.0.2")));
  EXPECT_FALSE(filter_.Admits(Host("127.1.0.2")));
}

TEST_F(PeerFilterTest, TakesAsManyAsItSays) {
  std::set<HostAddress> ipv6;
  for (size_t i = 0; i < kIpv6HostsMax; ++i) ipv6.insert(Host("fd00::" + std::to_string(i)));
  Admit(ipv6);
  Admit(Hosts(kIpv4HostsMax, "127.1."));
  EXPECT_TRUE(listener_.Takes("127.1.0.2"));
  EXPECT_FALSE(HostFilter(Hosts(kIpv4HostsMax + 1, "127.1.")));
  EXPECT_FALSE(listener_.Takes("127.0.0.1"));
}

TEST_F(PeerFilterTest, LeavesAnAcceptedConnectionOfAHostThatIsNotAdmittedAnyMore) {
  Admit({Host("127.0.0.2")});
  const Socket peer("127.0.0.2");
  ASSERT_TRUE(listener_.Connect(peer));
  const int accepted = listener_.Accept();
  Admit({});
  ASSERT_EQ(write(peer.fd(), "x", 1), 1);
  char byte = 0;
  EXPECT_EQ(read(accepted, &byte, 1), 1);
  close(accepted);
}

TEST(PeerFilter, EndsConnectionsThatCameBeforeTheGuard) {
  const Listener listener;
  const Socket peer("127.0.0.1");
  ASSERT_TRUE(listener.Connect(peer));
  const int accepted = listener.Accept();
  PeerFilter filter;
  std::string error;
  ASSERT_TRUE(filter.Guard(std::vector{listener.port()}, error)) << error;
  char byte = 0;
  EXPECT_EQ(read(accepted, &byte, 1), 0);
  close(accepted);
}

TEST(ListenGuard, GivesUcxSocketsAFilterBeforeTheyListen) {
  std::string error;
  const auto context = Context::Create({.device_name = "lo", .tls = "tcp"}, error);
  ASSERT_TRUE(context) << error;
  const std::vector<uint16_t> others = ListeningPorts();
  std::unique_ptr<Worker> worker;
  {
    const ListenGuard guard(true);
    worker = Worker::Create(*context, error);
  }
  ASSERT_TRUE(worker) << error;
  EXPECT_EQ(ListenGuard::Fault(), "");
  OwnDescriptors descriptors;
  const auto sockets = descriptors.SocketsOn(ListeningPortsSince(others)).listening;
  ASSERT_FALSE(sockets.empty());
  for (const ListeningSocket& each : sockets) {
    sock_filter found[8];
    socklen_t count = 8;
    ASSERT_EQ(getsockopt(each.fd, SOL_SOCKET, SO_GET_FILTER, found, &count), 0);
    EXPECT_EQ(count, 1u);
  }
}

TEST(PeerFilter, LeavesOtherSocketsThatGotTheDescriptorLater) {
  PeerFilter filter;
  std::string error;
  int fd = -1;
  {
    const Socket socket("127.0.0.1");
    listen(socket.fd(), 1);
    fd = socket.fd();
    ASSERT_TRUE(filter.Guard(std::vector{ntohs(socket.name().sin_port)}, error)) << error;
  }
  const Socket other("127.0.0.1");
  ASSERT_EQ(other.fd(), fd);
  ASSERT_TRUE(filter.Admit({}, error)) << error;
  sock_filter found[8];
  socklen_t count = 8;
  EXPECT_EQ(getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, found, &count), 0);
  EXPECT_EQ(count, 0u);
}

/// Runs the program over a packet that has nothing but a network header.
class Ipv6Run {
 public:
  explicit Ipv6Run(const std::set<HostAddress>& hosts) : program_(*HostFilter(hosts)) {}

  bool Passes(const HostAddress& source) const {
    uint32_t value = 0;
    for (size_t at = 0; at < program_.size(); ++at) {
      const sock_filter& step = program_[at];
      switch (step.code) {
        case BPF_LD | BPF_B | BPF_ABS:
          value = 0x60;
          break;
        case BPF_LD | BPF_W | BPF_ABS:
          value = Word(source, step.k - static_cast<uint32_t>(SKF_NET_OFF) - 8);
          break;
        case BPF_ALU | BPF_AND | BPF_K:
          value &= step.k;
          break;
        case BPF_JMP | BPF_JEQ | BPF_K:
          at += value == step.k ? step.jt : step.jf;
          break;
        case BPF_JMP | BPF_JA:
          at += step.k;
          break;
        case BPF_RET | BPF_K:
          return step.k != 0;
        default:
          ADD_FAILURE() << "a step that IPv6 does not need: " << step.code;
          return false;
      }
    }
    ADD_FAILURE() << "the program has no end";
    return false;
  }

 private:
  static uint32_t Word(const HostAddress& source, size_t at) {
    uint32_t word = 0;
    for (size_t i = 0; i < 4; ++i) word = word << 8 | std::to_integer<uint32_t>(source[at + i]);
    return word;
  }

  std::vector<sock_filter> program_;
};

TEST(HostFilter, ComparesAllWordsOfAnIpv6Address) {
  const Ipv6Run run({Host("fd00:1::5:2"), Host("fd00:2::3"), Host("127.0.0.1")});
  EXPECT_TRUE(run.Passes(Host("fd00:1::5:2")));
  EXPECT_TRUE(run.Passes(Host("fd00:2::3")));
  for (const char* other : {"fd00:1::5:3", "fd00:2::2", "fd00:2:0:1::3", "fd01:1::5:2", "::1"})
    EXPECT_FALSE(run.Passes(Host(other))) << other;
}

}  // namespace
}  // namespace ucx
