#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>

#include "client/loopback_test.h"
#include "protocol/decode.h"
#include "stream/channel.h"
#include "stream/part.h"
#include "ucx/session_proof.h"

// Peers that say what no proxy says, over TCP and inside TLS: SEAWEED_FUZZ_FRAMES=1000000 for a
// long run.
namespace server_test {
namespace {

using client_test::kSecondNs;
using client_test::kStream;
using client_test::kTlsStream;
using client_test::Loopback;
using client_test::SecurityOf;
using protocol::MessageId;
using protocol::Status;

constexpr size_t kFramesOfAConnection = 60;

size_t FramesMax() {
  const char* const wanted = std::getenv("SEAWEED_FUZZ_FRAMES");
  return wanted == nullptr ? 4'000 : std::strtoull(wanted, nullptr, 10);
}

/// A connection to the target on which a test says what it likes, and what came back.
class Stranger {
 public:
  Stranger(Loopback& loopback, const std::string& tls) {
    const auto [from, to] = stream_test::TcpPair();
    std::string error;
    channel_ = stream::OpenChannel(from, SecurityOf(tls, false), error);
    loopback.server->Adopt(to, SecurityOf(tls, true));
  }

  void SayBytes(MessageId id, std::span<const std::byte> header, std::span<const std::byte> data) {
    const stream::PartHead head{.message_number = ++number_,
                                .message_id = static_cast<uint16_t>(id),
                                .header_bytes = static_cast<uint16_t>(header.size()),
                                .part_bytes = static_cast<uint32_t>(data.size()),
                                .reserved = 0,
                                .data_bytes = data.size()};
    std::vector<std::byte> bytes;
    protocol::Append(bytes, std::as_bytes(std::span(&head, 1)));
    protocol::Append(bytes, header);
    protocol::Append(bytes, data);
    Write(bytes);
  }

  template <typename Header>
  void Say(MessageId id, const Header& header) {
    SayBytes(id, std::as_bytes(std::span(&header, 1)), {});
  }

  void Write(std::span<const std::byte> bytes) {
    const uint64_t give_up_ns = protocol::NowNs() + 10 * kSecondNs;
    while (!bytes.empty() && !is_over_ && protocol::NowNs() < give_up_ns) {
      const iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
      const auto result = channel_->Write(std::span(&part, 1));
      bytes = bytes.subspan(std::min(result.bytes, bytes.size()));
      is_over_ |= result.state == stream::Channel::State::kFailed;
      if (result.state != stream::Channel::State::kMoved) Hear();
    }
  }

  /// Takes in what has come.
  void Hear() {
    for (std::array<std::byte, 65'536> room; !is_over_;) {
      const auto result = channel_->Read(room, {});
      protocol::Append(heard_, std::span(room).first(result.bytes));
      is_over_ |= result.state == stream::Channel::State::kFailed ||
                  result.state == stream::Channel::State::kEnded;
      if (result.state != stream::Channel::State::kMoved) break;
    }
    while (TakePart()) continue;
  }

  void AwaitBytes() {
    pollfd fd{channel_->fd(), POLLIN, 0};
    poll(&fd, 1, 1);
  }

  bool AwaitMessage(MessageId id) {
    const uint64_t give_up_ns = protocol::NowNs() + 10 * kSecondNs;
    while (!is_over_ && !messages.contains(id) && protocol::NowNs() < give_up_ns) Hear();
    return messages.contains(id);
  }

  bool Prove(const std::string& secret) {
    protocol::Hello hello{.magic = protocol::kMagic,
                          .version_min = protocol::kVersionMin,
                          .version_max = protocol::kVersionMax,
                          .features = protocol::kLeases,
                          .nonce = {}};
    Say(MessageId::hello, hello);
    if (!AwaitMessage(MessageId::challenge)) return false;
    const auto challenge = protocol::Decode<protocol::Challenge>(headers_[MessageId::challenge]);
    ucx::HandshakeFacts facts{};
    std::ranges::copy(challenge->nonce, facts.server_nonce.begin());
    facts.version_min = hello.version_min;
    facts.version_max = hello.version_max;
    facts.version = challenge->version;
    facts.features_offered = hello.features;
    facts.features_agreed = challenge->features;
    protocol::Proof proof{};
    std::ranges::copy(ucx::MakeProof(ucx::Prover::kProxy, secret, facts), proof.mac);
    Say(MessageId::proof, proof);
    return AwaitMessage(MessageId::welcome);
  }

  [[nodiscard]] bool is_over() const { return is_over_; }

  std::map<MessageId, size_t> messages;  // how often each came
  size_t data_bytes = 0;                 // of all messages

 private:
  bool TakePart() {
    stream::PartHead head;
    if (heard_.size() < sizeof(head)) return false;
    std::memcpy(&head, heard_.data(), sizeof(head));
    const size_t bytes = sizeof(head) + head.header_bytes + head.part_bytes;
    if (heard_.size() < bytes) return false;
    if (head.message_id != 0) {
      const auto id = static_cast<MessageId>(head.message_id);
      ++messages[id];
      const auto header = std::span(heard_).subspan(sizeof(head), head.header_bytes);
      headers_[id].assign(header.begin(), header.end());
    }
    data_bytes += head.part_bytes;
    heard_.erase(heard_.begin(), heard_.begin() + static_cast<ptrdiff_t>(bytes));
    return true;
  }

  std::unique_ptr<stream::Channel> channel_;
  std::vector<std::byte> heard_;
  std::map<MessageId, std::vector<std::byte>> headers_;
  uint32_t number_ = 0;
  bool is_over_ = false;
};

/// Says one frame that is nearly right: a message of a proxy, at times with bits of it changed.
/// After the handshake its messages are rare, since each ends the session.
void SayNonsense(Stranger& stranger, std::mt19937_64& random, bool is_proved) {
  std::vector<std::byte> header;
  std::vector<std::byte> data;
  const auto as = [&](const auto& message) {
    header.clear();
    protocol::AppendRow(header, message);
  };
  auto id = static_cast<MessageId>(1 + random() % 14);
  const bool is_handshake = id == MessageId::hello || id == MessageId::proof;
  if (is_proved && is_handshake && random() % 20 != 0) id = MessageId::read;
  switch (id) {
    case MessageId::hello:
      as(protocol::Hello{.magic = protocol::kMagic,
                         .version_min = static_cast<uint16_t>(random() % 3),
                         .version_max = static_cast<uint16_t>(random() % 4),
                         .features = random(),
                         .nonce = {}});
      break;
    case MessageId::proof:
      as(protocol::Proof{});
      break;
    case MessageId::validate: {
      const auto count = static_cast<uint32_t>(random() % 20);
      as(protocol::Validate{.request_id = random(),
                            .timeout_ns = random() % kSecondNs,
                            .item_count = count,
                            .lease_ms = static_cast<uint32_t>(random() % 70'000)});
      for (uint32_t i = 0; i < count; ++i)
        protocol::AppendRow(data, protocol::ValidateItem{.epoch = random() % 3,
                                                         .position = random() % 99,
                                                         .volume_id = client_test::kVolume,
                                                         .reserved = 0});
      break;
    }
    case MessageId::ping:
      as(protocol::Ping{.request_id = random(), .sent_ns = random()});
      break;
    case MessageId::goodbye:
      if (random() % 20 != 0) return;  // else no connection lives for long
      as(protocol::Goodbye{});
      break;
    default:
      id = MessageId::read;
      as(protocol::Read{.request_id = random(),
                        .needle_id = random() % 100'000,
                        .volume_id = static_cast<uint32_t>(random() % 14),
                        .cookie = client_test::kCookie,
                        .offset = random() % 3 == 0 ? random() : random() % 1'000,
                        .length = random() % 3 == 0 ? random() : random() % 10'000,
                        .whole_bytes_max = random() % 2 == 0 ? random() : 0,
                        .budget_bytes = random() % 5 == 0 ? random() : 1 << 20,
                        .timeout_ns = random() % 5 == 0 ? random() : kSecondNs,
                        .flags = static_cast<uint16_t>(random() % 2),
                        .reserved16 = 0,
                        .reserved32 = 0});
  }
  if (random() % 30 == 0) header[random() % header.size()] ^= std::byte(1 << random() % 8);
  if (random() % 40 == 0) header.resize(random() % (header.size() + 8));
  if (random() % 40 == 0) data.resize(random() % 5'000);
  if (random() % 60 == 0) id = static_cast<MessageId>(random() % 20);
  stranger.SayBytes(id, header, data);
}

class StreamFuzz : public testing::TestWithParam<const char*> {
 protected:
  StreamFuzz() { loopback_.knobs.is_released = true; }

  /// `begin` has each new connection say something sensible first, and tells how to judge it.
  template <typename Begin, typename Judge>
  void Run(bool is_proved, Begin begin, Judge judge) {
    std::mt19937_64 random(17);
    for (size_t frames = 0; frames < FramesMax();) {
      Stranger stranger(loopback_, GetParam());
      begin(stranger);
      const size_t end = frames + kFramesOfAConnection;
      while (frames < end && !stranger.is_over()) {
        SayNonsense(stranger, random, is_proved);
        ++frames;
        // An end of the connection takes with it what was not read before.
        if (frames % 16 == 0) stranger.AwaitBytes();
        stranger.Hear();
      }
      stranger.Hear();
      judge(stranger);
    }
  }

  void ExpectStillServing() {
    const auto target = loopback_.Up();
    EXPECT_EQ(loopback_.Read(target, Loopback::WholeRead(65536)).status, Status::ok);
    loopback_.ExpectLeasesHome();
  }

  Loopback loopback_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Transports, StreamFuzz, testing::Values(kStream, kTlsStream),
                         [](const auto& info) { return client_test::NameOf(info.param); });

TEST_P(StreamFuzz, APeerThatHasProvedNothingGetsNoByteOfANeedle) {
  Run(
      false, [](Stranger&) {},
      [](const Stranger& stranger) {
        for (const auto& [id, count] : stranger.messages) {
          EXPECT_TRUE(id == MessageId::challenge || id == MessageId::refuse ||
                      id == MessageId::goodbye)
              << static_cast<int>(id);
        }
        EXPECT_EQ(stranger.data_bytes, 0u);
      });
  ExpectStillServing();
}

TEST_P(StreamFuzz, APeerThatHasProvedItselfEndsNothingButItsSession) {
  size_t served = 0;
  Run(
      true, [](Stranger& stranger) { ASSERT_TRUE(stranger.Prove("a shared secret")); },
      [&](const Stranger& stranger) {
        const auto found = stranger.messages.find(MessageId::read_reply);
        if (found != stranger.messages.end()) served += found->second;
      });
  EXPECT_GT(served, FramesMax() / 200);
  ExpectStillServing();
}

}  // namespace
}  // namespace server_test
