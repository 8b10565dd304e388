#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "protocol/clock.h"
#include "stream/carrier.h"
#include "stream/part.h"
#include "stream/tcp_pair_test.h"

namespace {

using protocol::MessageId;
using stream_test::TcpPair;

constexpr uint64_t kSecondNs = 1'000'000'000;

stream::Security Plain(bool is_server) { return {.is_server = is_server, .key = {}}; }

stream::Security Keyed(bool is_server, uint8_t key) {
  stream::Security security{.is_server = is_server, .key = {}};
  security.key.emplace().fill(key);
  return security;
}

std::vector<std::byte> Bytes(size_t count, uint32_t seed) {
  std::vector<std::byte> bytes(count);
  uint32_t state = seed * 2'654'435'761u + 1;
  for (std::byte& each : bytes) {
    state = state * 1'664'525u + 1'013'904'223u;
    each = static_cast<std::byte>(state >> 24);
  }
  return bytes;
}

/// One end of a connection: what it hears, and what became of what it sent.
class End final : public fabric::Receiver, public fabric::SendListener {
 public:
  explicit End(const stream::Limits& limits = {}) : sends_(*this) {
    signal(SIGPIPE, SIG_IGN);
    std::string error;
    carrier_ = stream::Carrier::Create(*this, limits, error);
  }
  ~End() override {
    link_.reset();
    carrier_->Progress();
    EXPECT_EQ(sends_.in_flight(), 0u);
  }

  void Open(int fd, const stream::Security& security) {
    std::string error;
    link_ = carrier_->Adopt(fd, security, this, error);
    ASSERT_TRUE(link_) << error;
  }
  void Close() { link_.reset(); }
  bool Progress() { return carrier_->Progress(); }
  fabric::Link& link() { return *link_; }

  void Ping(uint64_t id) {
    fabric::Send& send =
        sends_.Take(MessageId::ping, protocol::Ping{.request_id = id, .sent_ns = 1});
    send.owner = id;
    link_->Post(send);
  }
  void List(MessageId id, std::vector<std::byte> list) {
    fabric::Send& send = sends_.Take(id, protocol::Validate{});
    send.list = std::move(list);
    link_->Post(send);
  }
  /// Sends an answer with data; its number is its request id.
  void Reply(uint64_t id, const std::shared_ptr<std::vector<std::byte>>& data) {
    protocol::ReadReply reply{};
    reply.request_id = id;
    fabric::Send& send = sends_.Take(MessageId::read_reply, reply);
    send.owner = id;
    send.shared_list = data;
    link_->Post(send);
  }

  void OnSent(const fabric::Send& send, bool is_sent) override {
    (is_sent ? sent : unsent).push_back(send.owner);
  }
  void OnMessage(void* peer, MessageId id, std::span<const std::byte> header,
                 std::span<const std::byte> data) override {
    EXPECT_EQ(peer, this);
    messages.push_back(id);
    headers.emplace_back(header.begin(), header.end());
    lists.emplace_back(data.begin(), data.end());
  }
  std::optional<fabric::Landing> OnReply(void*, std::span<const std::byte> header,
                                         uint64_t data_bytes) override {
    protocol::ReadReply reply{};
    if (header.size() == sizeof(reply)) std::memcpy(&reply, header.data(), sizeof(reply));
    if (is_deaf) return std::nullopt;
    if (data_bytes > 256 << 20) return std::nullopt;  // no memory for so much
    auto& memory = replies[reply.request_id];
    memory.assign(data_bytes, std::byte{});
    return fabric::Landing{memory, &memory};
  }
  void OnLanded(void*, bool is_whole) override { ++(is_whole ? landed : cut); }
  void OnLost(void*, std::string_view why) override {
    EXPECT_TRUE(lost.empty());
    lost = why;
  }

  std::vector<uint64_t> sent;
  std::vector<uint64_t> unsent;
  std::vector<MessageId> messages;
  std::vector<std::vector<std::byte>> headers;
  std::vector<std::vector<std::byte>> lists;
  std::map<uint64_t, std::vector<std::byte>> replies;
  int landed = 0;
  int cut = 0;
  bool is_deaf = false;
  std::string lost;

 private:
  fabric::SendPool sends_;
  std::unique_ptr<stream::Carrier> carrier_;
  std::unique_ptr<fabric::Link> link_;
};

bool Await(const std::vector<End*>& ends, const std::function<bool()>& done,
           uint64_t timeout_ns = 20 * kSecondNs) {
  const uint64_t give_up_ns = protocol::NowNs() + timeout_ns;
  while (!done()) {
    if (protocol::NowNs() > give_up_ns) return false;
    for (End* const end : ends) end->Progress();
  }
  return true;
}

/// Whether the link goes under TLS.
class StreamLink : public testing::TestWithParam<bool> {
 protected:
  void Connect() {
    const auto [from, to] = TcpPair();
    client_.Open(from, GetParam() ? Keyed(false, 1) : Plain(false));
    server_.Open(to, GetParam() ? Keyed(true, 1) : Plain(true));
  }
  bool Await(const std::function<bool()>& done) { return ::Await({&client_, &server_}, done); }

  End client_;
  End server_;
};
INSTANTIATE_TEST_SUITE_P(Security, StreamLink, testing::Bool(),
                         [](const auto& info) { return info.param ? "tls" : "plain"; });

TEST_P(StreamLink, CarriesMessagesOfEverySizeBothWays) {
  Connect();
  const std::vector<size_t> sizes{1,      23,     24,     4096,          16384,         16385,
                                  131072, 262144, 262145, (1 << 20) + 1, (33 << 20) + 7};
  for (size_t i = 0; i < sizes.size(); ++i) {
    server_.Reply(i, std::make_shared<std::vector<std::byte>>(Bytes(sizes[i], 1)));
    client_.Ping(i);
    client_.List(MessageId::validate, Bytes(std::min<size_t>(sizes[i], 1 << 20), 2));
  }
  ASSERT_TRUE(Await([&] {
    return client_.landed == static_cast<int>(sizes.size()) &&
           server_.messages.size() == 2 * sizes.size();
  }));
  for (size_t i = 0; i < sizes.size(); ++i)
    EXPECT_EQ(client_.replies[i], Bytes(sizes[i], 1)) << sizes[i];
  size_t validated = 0;
  for (size_t i = 0; i < server_.messages.size(); ++i) {
    if (server_.messages[i] != MessageId::validate) continue;
    EXPECT_EQ(server_.lists[i], Bytes(server_.lists[i].size(), 2));
    validated += server_.lists[i].size();
  }
  size_t expected = 0;
  for (const size_t size : sizes) expected += std::min<size_t>(size, 1 << 20);
  EXPECT_EQ(validated, expected);
  EXPECT_EQ(client_.link().Transport().ends_with("tls"), GetParam());
  EXPECT_EQ(client_.lost + server_.lost, "");
}

TEST_P(StreamLink, LetsAShortMessageOvertakeALongOne) {
  Connect();
  server_.Reply(1, std::make_shared<std::vector<std::byte>>(64 << 20));
  ASSERT_TRUE(Await([&] { return client_.replies.contains(1); }));
  server_.Ping(2);
  ASSERT_TRUE(Await([&] { return !client_.messages.empty(); }));
  EXPECT_EQ(client_.landed, 0);
  ASSERT_TRUE(Await([&] { return client_.landed == 1; }));
  EXPECT_EQ(server_.sent, (std::vector<uint64_t>{2, 1}));
}

TEST_P(StreamLink, ReceivesNothingOfAnAnswerThatHasNoMemory) {
  Connect();
  client_.is_deaf = true;
  server_.Reply(1, std::make_shared<std::vector<std::byte>>(3 << 20));
  server_.Ping(2);
  ASSERT_TRUE(Await([&] { return server_.sent.size() == 2 && client_.messages.size() == 1; }));
  EXPECT_EQ(client_.landed, 0);
  EXPECT_EQ(client_.lost, "");
}

TEST_P(StreamLink, FinishesEachSendAndEachLandingOnceWhenItCloses) {
  Connect();
  for (uint64_t id = 1; id <= 8; ++id)
    server_.Reply(id, std::make_shared<std::vector<std::byte>>(32 << 20));
  ASSERT_TRUE(Await([&] { return client_.replies.size() == 8; }));
  client_.Close();
  ASSERT_TRUE(Await([&] { return client_.cut == 8; }));
  ASSERT_TRUE(Await([&] { return server_.unsent.size() + server_.sent.size() == 8; }));
  EXPECT_NE(server_.lost, "");
  server_.Ping(9);
  EXPECT_EQ(server_.unsent.back(), 9u);
}

TEST_P(StreamLink, HearsOfAPeerThatIsGone) {
  Connect();
  client_.Ping(1);
  ASSERT_TRUE(Await([&] { return server_.messages.size() == 1; }));
  server_.Close();
  ASSERT_TRUE(Await([&] { return !client_.lost.empty(); }));
}

TEST_P(StreamLink, HearsOfAMessageAndOfTheEndThatComeTogether) {
  Connect();
  client_.Ping(1);
  server_.Ping(2);
  ASSERT_TRUE(Await([&] { return server_.messages.size() == 1 && client_.messages.size() == 1; }));
  // Nothing is left to be told, so that the next event is of both.
  while (client_.Progress()) {
  }
  server_.Ping(3);
  while (server_.Progress()) {
  }
  server_.Close();
  ASSERT_TRUE(Await([&] { return !client_.lost.empty(); }));
  EXPECT_EQ(client_.messages.size(), 2u);
}

TEST(StreamLinkKeys, AnotherKeyCarriesNoMessage) {
  End client;
  End server;
  const auto [from, to] = TcpPair();
  client.Open(from, Keyed(false, 1));
  server.Open(to, Keyed(true, 2));
  client.Ping(1);
  server.Ping(2);
  ASSERT_TRUE(
      Await({&client, &server}, [&] { return !client.lost.empty() && !server.lost.empty(); }));
  EXPECT_TRUE(client.messages.empty() && server.messages.empty());
  EXPECT_EQ(client.sent.size() + server.sent.size(), 0u);
}

TEST(StreamLinkKeys, APeerWithoutTlsCarriesNoMessage) {
  for (const bool is_server_keyed : {true, false}) {
    End client;
    End server;
    const auto [from, to] = TcpPair();
    client.Open(from, is_server_keyed ? Plain(false) : Keyed(false, 1));
    server.Open(to, is_server_keyed ? Keyed(true, 1) : Plain(true));
    client.Ping(1);
    server.Ping(2);
    ASSERT_TRUE(
        Await({&client, &server}, [&] { return !client.lost.empty() || !server.lost.empty(); }));
    EXPECT_TRUE(client.messages.empty() && server.messages.empty());
  }
}

/// Bytes that a stranger writes to an end that is open.
class Strange {
 public:
  explicit Strange(const stream::Limits& limits = {},
                   const stream::Security& security = Plain(true))
      : end(limits) {
    const auto [from, to] = TcpPair();
    fd_ = from;
    end.Open(to, security);
  }
  ~Strange() { close(fd_); }

  void Write(const void* bytes, size_t count) {
    size_t at = 0;
    while (at < count && end.lost.empty()) {
      const ssize_t written = send(fd_, static_cast<const std::byte*>(bytes) + at, count - at,
                                   MSG_NOSIGNAL | MSG_DONTWAIT);
      if (written > 0) at += static_cast<size_t>(written);
      if (written < 0 && errno != EAGAIN) return;
      end.Progress();
    }
  }
  void Write(const stream::PartHead& head, size_t more = 0) {
    std::vector<std::byte> bytes(sizeof(head) + more);
    std::memcpy(bytes.data(), &head, sizeof(head));
    Write(bytes.data(), bytes.size());
  }
  bool AwaitLoss() {
    return Await({&end}, [&] { return !end.lost.empty(); });
  }

  End end;

 private:
  int fd_;
};

stream::PartHead FirstPart(MessageId id, uint32_t part_bytes, uint64_t data_bytes) {
  return {.message_number = 1,
          .message_id = static_cast<uint16_t>(id),
          .header_bytes = 0,
          .part_bytes = part_bytes,
          .reserved = 0,
          .data_bytes = data_bytes};
}

TEST(StreamLinkStranger, EachFaultOfAHeadEndsTheConnection) {
  const stream::PartHead sound = FirstPart(MessageId::ping, 0, 0);
  const std::vector<std::function<void(stream::PartHead&)>> faults{
      [](auto& head) { head.message_id = 15; },
      [](auto& head) { head.message_id = 0xffff; },
      [](auto& head) { head.message_id = 0; },  // a later part of nothing
      [](auto& head) { head.header_bytes = stream::kHeaderBytesMax + 1; },
      [](auto& head) { head.part_bytes = stream::kPartBytesMax + 1; },
      [](auto& head) { head.part_bytes = 1; },  // more than the message has
      [](auto& head) { head.data_bytes = 1; },  // and no part of it
      [](auto& head) { head.data_bytes = ~0ull, head.part_bytes = 1; },
      [](auto& head) { head.reserved = 1; },
  };
  for (const auto& fault : faults) {
    Strange strange;
    stream::PartHead head = sound;
    fault(head);
    strange.Write(head, stream::kPartBytesMax + 200);
    EXPECT_TRUE(strange.AwaitLoss());
    EXPECT_TRUE(strange.end.messages.empty());
  }
  Strange strange;
  strange.Write(sound);
  EXPECT_TRUE(Await({&strange.end}, [&] { return strange.end.messages.size() == 1; }));
}

TEST(StreamLinkStranger, ALongListAndTooManyMessagesEndTheConnection) {
  Strange long_list({.list_bytes_max = 1000, .messages_max = 4});
  long_list.Write(FirstPart(MessageId::validate, 100, 1001), 100);
  EXPECT_TRUE(long_list.AwaitLoss());

  Strange many({.list_bytes_max = 1000, .messages_max = 4});
  for (uint32_t number = 1; number <= 4; ++number) {
    stream::PartHead head = FirstPart(MessageId::validate, 1, 1000);
    head.message_number = number;
    many.Write(head, 1);
  }
  many.end.Progress();
  EXPECT_EQ(many.end.lost, "");
  stream::PartHead head = FirstPart(MessageId::validate, 1, 1000);
  head.message_number = 5;
  many.Write(head, 1);
  EXPECT_TRUE(many.AwaitLoss());
}

TEST(StreamLinkStranger, GarbageEndsTheConnectionOrSaysNothing) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 400; ++round) {
    const bool is_keyed = round % 4 == 3;
    Strange strange({.list_bytes_max = 64 << 10, .messages_max = 16},
                    is_keyed ? Keyed(true, 1) : Plain(true));
    // Heads that are nearly right, with random bytes behind them, cut anywhere.
    std::vector<std::byte> bytes;
    for (int part = 0; part < 40; ++part) {
      stream::PartHead head{};
      head.message_number = static_cast<uint32_t>(random() % 6);
      head.message_id = static_cast<uint16_t>(random() % 16);
      head.header_bytes = static_cast<uint16_t>(head.message_id == 0 ? 0 : random() % 100);
      head.part_bytes = static_cast<uint32_t>(random() % 3 == 0 ? 0 : random() % 5000);
      head.data_bytes =
          head.message_id == 0 ? 0 : head.part_bytes + random() % 3 * (random() % 9000);
      if (random() % 50 == 0) head.data_bytes = random();
      const size_t at = bytes.size();
      bytes.resize(at + sizeof(head) + head.header_bytes + head.part_bytes);
      std::memcpy(bytes.data() + at, &head, sizeof(head));
      for (size_t i = at + sizeof(head); i < bytes.size(); i += 7)
        bytes[i] = static_cast<std::byte>(random());
    }
    if (random() % 3 == 0) bytes[random() % bytes.size()] ^= std::byte{0x40};
    bytes.resize(bytes.size() - random() % 3000);
    for (size_t at = 0; at < bytes.size() && strange.end.lost.empty();) {
      const size_t count = std::min<size_t>(bytes.size() - at, 1 + random() % 20'000);
      strange.Write(bytes.data() + at, count);
      at += count;
    }
    strange.end.Progress();
    const bool is_silent = strange.end.messages.empty() && strange.end.replies.empty();
    EXPECT_TRUE(is_silent || !is_keyed);
  }
}

}  // namespace
