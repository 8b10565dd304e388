#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "memory/arena.h"
#include "protocol/wire.h"
#include "ucx/handles.h"

// Memory that UCX borrows until a send has called back: header, list or lease. UCX gets a pointer
// to a slot of a pool that outlives the worker, and a slot is used again only after its callback,
// so that a late completion never meets another message's bytes. Confined to the worker's thread.
namespace ucx {

/// Limits messages without a deadline of their own: an endpoint that takes none for so long is
/// closed by force.
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

  [[nodiscard]] uint32_t header_bytes() const { return header_bytes_; }

 private:
  friend class SendPool;
  SendPool* pool = nullptr;
  uint32_t index = 0;
  bool in_flight = false;
  protocol::MessageId id{};
  uint32_t header_bytes_ = 0;
  alignas(8) std::array<std::byte, sizeof(protocol::ReadReply)> header{};
};

class SendListener {
 public:
  virtual ~SendListener() = default;
  /// Once per posted send, from within Post() or Worker::Progress(). The send's bytes are still
  /// there.
  virtual void OnSent(const Send& send, ucs_status_t status) = 0;
};

class SendPool {
 public:
  explicit SendPool(SendListener& listener) : listener_(listener) {}
  SendPool(const SendPool&) = delete;
  SendPool& operator=(const SendPool&) = delete;

  /// An idle send with `header` in it; post it with Post().
  template <typename Header>
  [[nodiscard]] Send& Take(protocol::MessageId id, const Header& header) {
    static_assert(std::is_trivially_copyable_v<Header> &&
                  sizeof(Header) <= sizeof(protocol::ReadReply));
    Send& send = TakeIdle();
    send.id = id;
    send.header_bytes_ = sizeof(Header);
    std::memcpy(send.header.data(), &header, sizeof(Header));
    return send;
  }

  /// Lists go eagerly, a lease as UCX chooses (`memory` is its registration).
  void Post(Send& send, Endpoint& endpoint, ucp_mem_h memory);

  /// The owners of sends that should have completed by now, appended to `owners`.
  void Overdue(uint64_t now_ns, std::vector<uint64_t>& owners) const;

  [[nodiscard]] uint32_t in_flight() const { return in_flight_; }

 private:
  Send& TakeIdle();
  void Finish(Send& send, ucs_status_t status);
  static void OnSent(void* request, ucs_status_t status, void* user_data);

  SendListener& listener_;
  std::deque<Send> sends_;
  std::vector<uint32_t> idle_;
  uint32_t in_flight_ = 0;
};

}  // namespace ucx
