#pragma once

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "fabric/link.h"
#include "fabric/receiver.h"
#include "stream/carrier.h"
#include "stream/channel.h"
#include "stream/part.h"

namespace stream {

/// One connection: messages are cut into parts, short messages first, those of several long ones by
/// turns, and put together again at the other end. Data of READ_REPLY goes into the receiver's
/// memory at once.
class StreamLink final : public fabric::Link {
 public:
  StreamLink(Carrier& carrier, std::unique_ptr<Channel> channel, void* peer)
      : carrier_(carrier), channel_(std::move(channel)), peer_(peer) {}
  ~StreamLink() override;
  void Post(fabric::Send& send) override;
  std::string Transport() const override { return channel_->Name(); }

  // The carrier's side.
  /// `has_ended`: the peer has closed its side, or the connection failed; there may be bytes left.
  void OnReady(bool is_readable, bool is_writable, bool has_ended);
  void Read();
  /// Writes until the socket takes no more, at most some `kWriteBytesPerTurn`; gives the bytes.
  size_t Write();
  /// Something is to be written that is no short message.
  [[nodiscard]] bool has_long_output() const {
    return !long_.empty() || unwritten_bytes_ > kShortBytesMax;
  }

 private:
  /// A message that is being sent.
  struct Outgoing {
    fabric::Send* send;
    uint32_t number;
    uint64_t cut_bytes = 0;  // of its data, in parts already
    bool has_begun = false;
  };
  /// A part on its way to the socket.
  struct Part {
    std::array<std::byte, sizeof(PartHead) + kHeaderBytesMax> head;
    size_t head_bytes;
    std::span<const std::byte> data;
    size_t written_bytes = 0;
    fabric::Send* ended;  // finished with this part; or null
  };
  /// A message that has come in part.
  struct Incoming {
    protocol::MessageId id{};
    std::array<std::byte, kHeaderBytesMax> header;
    uint32_t header_bytes = 0;
    uint64_t data_bytes = 0;
    uint64_t come_bytes = 0;
    std::optional<fabric::Landing> landing;
    std::vector<std::byte> list;
  };

  void MakeDue();
  void Lose(std::string_view why);

  // Writing.
  size_t Flush();
  void CutParts();
  void CutPart(Outgoing& outgoing);
  void OnWritten(size_t bytes);

  // Reading.
  void Fill();
  /// Takes what is whole in `bytes`; gives the number of bytes that it took.
  [[nodiscard]] size_t Take(std::span<const std::byte> bytes);
  [[nodiscard]] size_t TakeHead(std::span<const std::byte> bytes);
  [[nodiscard]] bool Begin(const PartHead& head, std::span<const std::byte> header);
  void TakeData(std::span<const std::byte> bytes);
  void OnData(size_t bytes);
  void EndPart();
  /// Where the rest of the part that is coming is to be written; empty: it goes through the buffer.
  [[nodiscard]] std::span<std::byte> Destination() const;

  Carrier& carrier_;
  std::unique_ptr<Channel> channel_;
  void* const peer_;
  bool is_due_ = false;
  bool is_lost_ = false;
  bool is_readable_ = true;
  bool is_writable_ = true;
  bool has_ended_ = false;
  bool reads_when_writable_ = false;
  bool writes_when_readable_ = false;

  uint32_t next_number_ = 1;
  std::deque<Outgoing> short_;
  std::deque<Outgoing> long_;
  size_t short_bytes_ahead_ = 0;  // cut since the last part of a long message
  std::deque<Part> parts_;
  size_t unwritten_bytes_ = 0;

  std::unordered_map<uint32_t, std::unique_ptr<Incoming>> incoming_;
  std::unique_ptr<Incoming> spare_;
  uint64_t lists_bytes_ = 0;     // of all incoming messages
  Incoming* current_ = nullptr;  // whose part is coming
  uint32_t current_number_ = 0;
  uint32_t part_bytes_left_ = 0;
  std::vector<std::byte> unread_;  // the beginning of a head
};

}  // namespace stream
