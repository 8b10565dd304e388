#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "ucx/accepted_sockets.h"
#include "ucx/peer_filter.h"

namespace ucx {

/// TCP connections that are no session's.
struct ConnectionCounts {
  size_t waiting = 0;        // they have not said yet who they are
  uint64_t ended = 0;        // by a bound, since the start
  size_t descriptors = 0;    // open in the process, whatever they are
  size_t lost_ports = 0;     // of UCX's data: it closes them for good where it cannot accept
  uint64_t look_cpu_ns = 0;  // processor time that the look took
};

/// TCP connections that are no session's: UCX accepts them, waits for what their peer says, and
/// has no time-out for it. Here those that say nothing are ended, and those of one address are
/// bounded; also those of hosts that are not admitted any more. For one thread at a time.
class WaitingConnections {
 public:
  struct Ports {
    uint16_t listen = 0;         // of a target; a proxy has none
    std::vector<uint16_t> data;  // of UCX's TCP, one for each network device
  };
  struct Rules {
    uint64_t timeout_ns;       // from when a connection was first seen
    uint32_t per_address_max;  // of more, those that wait longest are ended
  };

  /// `peers` outlives it.
  WaitingConnections(Ports ports, Rules rules, const PeerFilter& peers);

  /// `known`: the far ends of the sessions, sorted.
  ConnectionCounts Look(uint64_t now_ns, std::span<const PeerEnd> known);

 private:
  struct Waiting {
    AcceptedSocket socket;
    uint64_t since_ns;
  };

  [[nodiscard]] bool IsWaiting(const AcceptedSocket& socket, std::span<const PeerEnd> known) const;

  const uint16_t listen_port_;
  std::vector<uint16_t> ports_;
  const Rules rules_;
  const PeerFilter& peers_;
  std::unordered_map<uint64_t, uint64_t> since_ns_;  // by inode
  ConnectionCounts counts_;
  OwnDescriptors descriptors_;
};

}  // namespace ucx
