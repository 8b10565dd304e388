#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "fabric/link.h"
#include "fabric/receiver.h"
#include "stream/channel.h"

// A fabric of TCP connections, for where there is neither RDMA nor shared memory. A peer writes
// where this side reads to, and nowhere else. Confined to one thread; never blocks.
namespace stream {

class StreamLink;

/// Bounds for one link.
struct Limits {
  uint32_t list_bytes_max = 16 << 20;  // data of a message that has no memory of its own
  uint32_t messages_max = 1024;        // that have begun to come, and not ended
  uint64_t lists_bytes_max =
      1 << 30;  // data of such messages together, without memory of their own
};

class Carrier {
 public:
  /// `receiver` must outlive it, and the pools of what is sent too. Null: `error` says why.
  [[nodiscard]] static std::unique_ptr<Carrier> Create(fabric::Receiver& receiver,
                                                       const Limits& limits, std::string& error);
  ~Carrier();
  Carrier(const Carrier&) = delete;
  Carrier& operator=(const Carrier&) = delete;

  /// A link over a connected TCP socket, which is closed with it. `peer` is what the receiver hears
  /// of it. Null: `error` says why, and the descriptor is closed. Links go before their carrier.
  [[nodiscard]] std::unique_ptr<fabric::Link> Adopt(int fd, const Security& security, void* peer,
                                                    std::string& error);

  /// Reads, writes and tells the receiver, as far as it goes without waiting. True: there was
  /// something to do.
  bool Progress();
  /// The thread may sleep on event_fd() only after true, and with no progress or post since.
  [[nodiscard]] bool Arm() const { return due_.empty() && abandoned_.empty() && unlanded_.empty(); }
  [[nodiscard]] int event_fd() const { return epoll_fd_; }

 private:
  friend class StreamLink;
  Carrier(fabric::Receiver& receiver, const Limits& limits, int epoll_fd);
  void TakeEvents();
  void FinishAbandoned();
  void WriteRound();
  void MakeDue(StreamLink& link);
  void Forget(StreamLink& link);
  /// For what comes in and has no memory of its own yet; of use within one call.
  [[nodiscard]] std::span<std::byte> buffer() { return buffer_; }

  fabric::Receiver& receiver_;
  const Limits limits_;
  const int epoll_fd_;
  std::vector<std::byte> buffer_;
  std::vector<StreamLink*> due_;  // have something to read or write
  std::vector<StreamLink*> round_;
  std::vector<fabric::Send*> abandoned_;  // of closed links
  std::vector<void*> unlanded_;           // the same: contexts of landings
};

}  // namespace stream
