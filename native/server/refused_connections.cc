#include "server/refused_connections.h"

#include <algorithm>

namespace server {
namespace {

constexpr uint64_t kSweepNs = 100'000'000;
/// For UCX's own thread to read the end of the connection.
constexpr uint64_t kKnownNs = 500'000'000;

}  // namespace

void RefusedConnections::Add(ucp_conn_request_h request, const std::optional<ucx::PeerEnd>& peer) {
  refused_.push_back({request, peer, 0});
}

void RefusedConnections::Sweep(uint64_t now_ns, ucx::Listener& listener) {
  next_ns_ = now_ns + kSweepNs;
  std::erase_if(refused_, [&](const Refused& each) {
    if (each.ended_ns == 0 || now_ns - each.ended_ns < kKnownNs) return false;
    listener.Reject(each.request);
    return true;
  });
  const bool is_any_new =
      std::ranges::any_of(refused_, [](const Refused& each) { return each.ended_ns == 0; });
  if (is_any_new) EndNew(now_ns);
}

void RefusedConnections::EndNew(uint64_t now_ns) {
  std::vector<ucx::AcceptedSocket> sockets = descriptors_.SocketsOn(ports_).accepted;
  std::ranges::sort(sockets, {}, &ucx::AcceptedSocket::peer);
  for (Refused& each : refused_) {
    if (each.ended_ns != 0) continue;
    each.ended_ns = now_ns;
    if (!each.peer) continue;
    // One that came by RDMA has no socket, and may be rejected as it is.
    const auto found =
        std::ranges::lower_bound(sockets, *each.peer, {}, &ucx::AcceptedSocket::peer);
    if (found != sockets.end() && found->peer == *each.peer) descriptors_.EndConnection(*found);
  }
}

void RefusedConnections::Clear(ucx::Listener& listener) {
  for (const Refused& each : refused_) listener.Reject(each.request);
  refused_.clear();
}

}  // namespace server
