#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "protocol/clock.h"
#include "protocol/decode.h"
#include "stream/carrier.h"
#include "stream/part.h"
#include "stream/tcp_pair_test.h"

namespace {

using protocol::MessageId;

/// The receiving end, with a peer that says whatever a test wants it to say.
class Receiving final : public fabric::Receiver {
 public:
  explicit Receiving(const stream::Limits& limits) {
    std::string error;
    carrier_ = stream::Carrier::Create(*this, limits, error);
    const auto [near, far] = stream_test::TcpPair();
    peer_ = far;
    link_ = carrier_->Adopt(near, {.is_server = true, .key = {}}, this, error);
    EXPECT_TRUE(link_) << error;
  }
  ~Receiving() override {
    link_.reset();
    close(peer_);
  }

  /// A part of message `number`: its first one says how long the message is.
  void Say(uint32_t number, uint32_t part_bytes, uint64_t data_bytes) {
    stream::PartHead head{};
    head.message_number = number;
    head.part_bytes = part_bytes;
    head.data_bytes = data_bytes;
    if (data_bytes > 0) head.message_id = static_cast<uint16_t>(MessageId::validate);
    std::vector<std::byte> bytes;
    protocol::AppendRow(bytes, head);
    bytes.resize(bytes.size() + part_bytes);
    ASSERT_EQ(send(peer_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
    const uint64_t until_ns = protocol::NowNs() + 20'000'000;
    while (lost.empty() && protocol::NowNs() < until_ns) carrier_->Progress();
  }

  void OnMessage(void*, MessageId, std::span<const std::byte>,
                 std::span<const std::byte>) override {
    ++messages;
  }
  std::optional<fabric::Landing> OnReply(void*, std::span<const std::byte>, uint64_t) override {
    return std::nullopt;
  }
  void OnLanded(void*, bool) override {}
  void OnLost(void*, std::string_view why) override { lost = why; }

  int messages = 0;
  std::string lost;

 private:
  std::unique_ptr<stream::Carrier> carrier_;
  std::unique_ptr<fabric::Link> link_;
  int peer_ = -1;
};

TEST(StreamBounds, ListsThatComeInPartAreFewBytesTogether) {
  Receiving end({.list_bytes_max = 1000, .messages_max = 1024, .lists_bytes_max = 2000});
  end.Say(1, 900, 1000);
  end.Say(2, 900, 1000);
  end.Say(1, 100, 0);  // whole, and forgotten
  EXPECT_EQ(end.messages, 1);
  end.Say(3, 900, 1000);
  EXPECT_EQ(end.lost, "");
  end.Say(4, 900, 1000);
  EXPECT_EQ(end.lost, "lists of too many messages have come in part");
}

}  // namespace
