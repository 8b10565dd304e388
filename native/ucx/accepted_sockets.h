#pragma once

#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

// TCP connections that UCX accepted, found through the process's own descriptors: UCX names a peer
// only once it has said who it is. Any thread; nothing here waits.
namespace ucx {

/// IPv6; an IPv4 address is written as the IPv6 one that maps it.
using HostAddress = std::array<std::byte, 16>;

/// The far end of a connection.
struct PeerEnd {
  HostAddress address{};
  uint16_t port = 0;
  auto operator<=>(const PeerEnd&) const = default;
};

/// Nothing for another family than IPv4 and IPv6.
[[nodiscard]] std::optional<PeerEnd> PeerEndOf(const sockaddr_storage& address);

struct AcceptedSocket {
  int fd = -1;
  uint64_t inode = 0;  // names the socket when the descriptor already belongs to another file
  PeerEnd peer;
  uint16_t local_port = 0;
  uint64_t received_bytes = 0;
};

struct ListeningSocket {
  int fd = -1;
  uint64_t inode = 0;
  uint16_t port = 0;
};

struct OwnSockets {
  std::vector<AcceptedSocket> accepted;    // open, and on one of the ports that were asked for
  std::vector<ListeningSocket> listening;  // of those ports
  size_t descriptors = 0;                  // of the process, whatever they are
};

/// 0: no open socket has this descriptor.
[[nodiscard]] uint64_t SocketInode(int fd);

/// TCP ports that this process listens on, without repetition.
[[nodiscard]] std::vector<uint16_t> ListeningPorts();

/// Those that were opened since `before`.
[[nodiscard]] std::vector<uint16_t> ListeningPortsSince(std::span<const uint16_t> before);

/// Looks through the process's descriptors, also when all that it may have are open: it holds the
/// one that it needs. For one thread at a time.
class OwnDescriptors {
 public:
  OwnDescriptors();
  ~OwnDescriptors();
  OwnDescriptors(const OwnDescriptors&) = delete;
  OwnDescriptors& operator=(const OwnDescriptors&) = delete;

  [[nodiscard]] OwnSockets SocketsOn(std::span<const uint16_t> ports);
  /// Ends the connection for both sides. UCX reads the end of it and closes its descriptor itself.
  /// False: the socket is gone.
  bool EndConnection(const AcceptedSocket& socket);

 private:
  void* folder_;  // a DIR
};

}  // namespace ucx
