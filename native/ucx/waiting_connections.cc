#include "ucx/waiting_connections.h"

#include <algorithm>
#include <array>
#include <map>

#include "protocol/clock.h"

namespace ucx {
namespace {

/// A connection request of UCX's TCP: magic number, header, and a request to connect with an IPv4
/// address (uct/tcp/tcp.h). A peer that has said less than that is not connected to anything.
constexpr uint64_t kConnectRequestBytesMin = 8 + 5 + 13 + 16;

}  // namespace

WaitingConnections::WaitingConnections(Ports ports, Rules rules, const PeerFilter& peers)
    : listen_port_(ports.listen), ports_(std::move(ports.data)), rules_(rules), peers_(peers) {
  if (listen_port_ != 0) ports_.push_back(listen_port_);
}

ConnectionCounts WaitingConnections::Look(uint64_t now_ns, std::span<const PeerEnd> known) {
  const uint64_t cpu_from_ns = protocol::ThreadCpuNs();
  const OwnSockets sockets = descriptors_.SocketsOn(ports_);
  std::unordered_map<uint64_t, uint64_t> since_ns;
  std::map<std::array<std::byte, 16>, std::vector<Waiting>> by_address;
  for (const AcceptedSocket& socket : sockets.accepted) {
    if (!IsWaiting(socket, known)) continue;
    const auto seen = since_ns_.find(socket.inode);
    const uint64_t first_ns = seen == since_ns_.end() ? now_ns : seen->second;
    since_ns[socket.inode] = first_ns;
    by_address[socket.peer.address].push_back({socket, first_ns});
  }
  since_ns_ = std::move(since_ns);
  counts_.waiting = 0;
  counts_.descriptors = sockets.descriptors;
  counts_.lost_ports = static_cast<size_t>(std::ranges::count_if(ports_, [&](uint16_t port) {
    const auto found = std::ranges::find(sockets.listening, port, &ListeningSocket::port);
    return port != listen_port_ && found == sockets.listening.end();
  }));
  for (auto& [address, waiting] : by_address) {
    std::ranges::stable_sort(waiting, {}, &Waiting::since_ns);
    size_t left = waiting.size();
    for (const Waiting& each : waiting) {
      if (left <= rules_.per_address_max && now_ns - each.since_ns < rules_.timeout_ns) break;
      if (descriptors_.EndConnection(each.socket)) ++counts_.ended;
      --left;
    }
    counts_.waiting += left;
  }
  counts_.look_cpu_ns = protocol::ThreadCpuNs() - cpu_from_ns;
  return counts_;
}

bool WaitingConnections::IsWaiting(const AcceptedSocket& socket,
                                   std::span<const PeerEnd> known) const {
  // It was admitted once, and is not any more.
  if (!peers_.Admits(socket.peer.address)) return true;
  if (socket.local_port != listen_port_) return socket.received_bytes < kConnectRequestBytesMin;
  return !std::ranges::binary_search(known, socket.peer);
}

}  // namespace ucx
