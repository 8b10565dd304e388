#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <vector>

#include "protocol/clock.h"
#include "stream/carrier.h"
#include "stream/part.h"
#include "stream/tcp_pair_test.h"

// Turns of messages within a link, and of links within a carrier: counted in bytes that went
// before.
namespace {

using protocol::MessageId;

constexpr uint64_t kLongBytes = 8 << 20;
/// A round's long data, and heads.
constexpr uint64_t kRoundBytesMax = 258 << 10;

/// Several links of one carrier, which only send; a test has their other ends.
class Sender final : public fabric::Receiver, public fabric::SendListener {
 public:
  Sender() : sends_(*this), long_(std::make_shared<std::vector<std::byte>>(kLongBytes)) {
    std::string error;
    carrier_ = stream::Carrier::Create(*this, {}, error);
  }
  ~Sender() override {
    links_.clear();
    carrier_->Progress();
    for (const int fd : far_ends_) close(fd);
  }

  /// Gives the number of the link. Bytes in the kernel are few if `is_narrow`.
  size_t Open(bool is_narrow) {
    const auto [near, far] = stream_test::TcpPair();
    const int few = 64 << 10;
    if (is_narrow) {
      EXPECT_EQ(setsockopt(near, SOL_SOCKET, SO_SNDBUF, &few, sizeof(few)), 0);
      EXPECT_EQ(setsockopt(far, SOL_SOCKET, SO_RCVBUF, &few, sizeof(few)), 0);
    }
    std::string error;
    links_.push_back(carrier_->Adopt(near, {.is_server = true, .key = {}}, nullptr, error));
    EXPECT_TRUE(links_.back()) << error;
    far_ends_.push_back(far);
    return links_.size() - 1;
  }

  void Ping(size_t link) {
    links_[link]->Post(sends_.Take(MessageId::ping, protocol::Ping{.request_id = 1, .sent_ns = 1}));
  }
  void Long(size_t link) {
    fabric::Send& send = sends_.Take(MessageId::read_reply, protocol::ReadReply{});
    send.shared_list = long_;
    links_[link]->Post(send);
  }
  bool Progress() { return carrier_->Progress(); }
  void Settle() {
    for (int i = 0; i < 1000 && (carrier_->Progress() || !carrier_->Arm()); ++i) {
    }
  }

  /// Bytes that have come at the other end, and were not read there.
  [[nodiscard]] uint64_t Come(size_t link) const {
    int bytes = 0;
    EXPECT_EQ(ioctl(far_ends_[link], FIONREAD, &bytes), 0);
    return static_cast<uint64_t>(bytes);
  }
  [[nodiscard]] int far_end(size_t link) const { return far_ends_[link]; }

  void OnSent(const fabric::Send&, bool) override {}
  void OnMessage(void*, MessageId, std::span<const std::byte>,
                 std::span<const std::byte>) override {}
  std::optional<fabric::Landing> OnReply(void*, std::span<const std::byte>, uint64_t) override {
    return std::nullopt;
  }
  void OnLanded(void*, bool) override {}
  void OnLost(void*, std::string_view why) override { ADD_FAILURE() << why; }

 private:
  fabric::SendPool sends_;
  std::shared_ptr<std::vector<std::byte>> long_;
  std::unique_ptr<stream::Carrier> carrier_;
  std::vector<std::unique_ptr<fabric::Link>> links_;
  std::vector<int> far_ends_;
};

/// Reads the parts of one link as they come, until the first of `id`; gives the bytes before it.
uint64_t BytesBefore(Sender& sender, size_t link, MessageId id) {
  const auto read_all = [&](void* into, size_t bytes) {
    auto* at = static_cast<std::byte*>(into);
    const uint64_t give_up_ns = protocol::NowNs() + 10'000'000'000;
    while (bytes > 0 && protocol::NowNs() < give_up_ns) {
      sender.Progress();
      const ssize_t come = recv(sender.far_end(link), at, bytes, MSG_DONTWAIT);
      if (come <= 0) continue;
      at += come;
      bytes -= static_cast<size_t>(come);
    }
    return bytes == 0;
  };
  std::vector<std::byte> rest;
  for (uint64_t before = 0; before < 1ull << 30; before += sizeof(stream::PartHead) + rest.size()) {
    stream::PartHead head{};
    if (!read_all(&head, sizeof(head))) break;
    if (head.message_id == static_cast<uint16_t>(id)) return before;
    rest.resize(head.header_bytes + head.part_bytes);
    if (!read_all(rest.data(), rest.size())) break;
  }
  ADD_FAILURE() << "it did not come";
  return 0;
}

TEST(StreamTurns, AShortMessageGoesBeforeTheNextPartsOfLongOnes) {
  Sender sender;
  const size_t link = sender.Open(true);
  for (int i = 0; i < 16; ++i) sender.Long(link);
  sender.Settle();
  sender.Ping(link);
  // The kernel's bytes, and the part that is being written.
  EXPECT_LT(BytesBefore(sender, link, MessageId::ping), 1u << 20);
}

TEST(StreamTurns, ShortMessagesLeaveTurnsToLongOnes) {
  Sender sender;
  const size_t link = sender.Open(true);
  sender.Settle();
  for (int i = 0; i < 20'000; ++i) sender.Ping(link);
  sender.Long(link);
  EXPECT_LT(BytesBefore(sender, link, MessageId::read_reply), 512u << 10);
}

TEST(StreamTurns, LinksWithLongMessagesShareARound) {
  Sender sender;
  std::vector<size_t> busy(16);
  for (size_t& link : busy) link = sender.Open(false);
  const size_t other = sender.Open(false);
  sender.Settle();
  for (const size_t link : busy) sender.Long(link);
  const auto come = [&] {
    uint64_t bytes = 0;
    for (const size_t link : busy) bytes += sender.Come(link);
    return bytes;
  };
  sender.Progress();
  EXPECT_GT(come(), 0u);
  EXPECT_LE(come(), kRoundBytesMax);
  // Each link has its turn before the first has another.
  for (size_t round = 1; round < busy.size(); ++round) sender.Progress();
  for (const size_t link : busy) EXPECT_GT(sender.Come(link), 0u) << link;
  const uint64_t before = come();
  sender.Ping(other);
  sender.Progress();
  EXPECT_GT(sender.Come(other), 0u);
  EXPECT_LE(come() - before, kRoundBytesMax);
}

}  // namespace
