#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include "memory/arena.h"
#include "protocol/wire.h"

// Memory that a fabric borrows until a message is sent: header, list or lease. It gets a pointer to
// a slot of a pool that outlives it, and a slot is used again only when the send has finished, so
// that a late completion never meets another message's bytes. Confined to one thread.
namespace fabric {

/// Limits messages without a deadline of their own: a link that takes none for so long is closed
/// by force.
inline constexpr uint64_t kControlSendTimeoutNs = 5'000'000'000;

class SendPool;

/// One send. `owner` and `tag` are the caller's and come back with the completion.
struct Send {
  uint64_t owner = 0;
  uint64_t tag = 0;
  uint64_t deadline_ns = 0;     // CLOCK_MONOTONIC; see SendPool::Overdue
  std::vector<std::byte> list;  // data, one of three
  std::shared_ptr<const std::vector<std::byte>> shared_list;
  memory::Lease lease;  // with the range of its bytes that is sent
  uint64_t lease_offset = 0;
  uint64_t lease_bytes = 0;

  [[nodiscard]] protocol::MessageId id() const { return id_; }
  [[nodiscard]] std::span<const std::byte> header() const {
    return std::span(header_).first(header_bytes_);
  }
  [[nodiscard]] std::span<const std::byte> data() const;

  // The fabric's side.
  /// To be called before the fabric borrows the bytes.
  void Begin();
  /// Tells the owner, and gives the slot back: once.
  void Finish(bool is_sent);

 private:
  friend class SendPool;
  SendPool* pool_ = nullptr;
  uint32_t index_ = 0;
  bool in_flight_ = false;
  protocol::MessageId id_{};
  uint32_t header_bytes_ = 0;
  alignas(8) std::array<std::byte, sizeof(protocol::ReadReply)> header_{};
};

class SendListener {
 public:
  virtual ~SendListener() = default;
  /// Once per posted send, from within the post or from progress. The send's bytes are still there.
  virtual void OnSent(const Send& send, bool is_sent) = 0;
};

class SendPool {
 public:
  explicit SendPool(SendListener& listener) : listener_(listener) {}
  SendPool(const SendPool&) = delete;
  SendPool& operator=(const SendPool&) = delete;

  /// An idle send with `header` in it, to be posted on a link.
  template <typename Header>
  [[nodiscard]] Send& Take(protocol::MessageId id, const Header& header) {
    static_assert(std::is_trivially_copyable_v<Header> &&
                  sizeof(Header) <= sizeof(protocol::ReadReply));
    Send& send = TakeIdle();
    send.id_ = id;
    send.header_bytes_ = sizeof(Header);
    std::memcpy(send.header_.data(), &header, sizeof(Header));
    return send;
  }

  /// The owners of sends that should have completed by now, appended to `owners`.
  void Overdue(uint64_t now_ns, std::vector<uint64_t>& owners) const;

  [[nodiscard]] uint32_t in_flight() const { return in_flight_; }

 private:
  friend struct Send;
  Send& TakeIdle();
  void Finish(Send& send, bool is_sent);

  SendListener& listener_;
  std::deque<Send> sends_;
  std::vector<uint32_t> idle_;
  uint32_t in_flight_ = 0;
};

}  // namespace fabric
