#include "server/pending_share.h"

#include <algorithm>
#include <map>

namespace server {

std::optional<uint64_t> GivesPlace(std::span<const PendingSession> pending,
                                   const ucx::PeerEnd& peer) {
  struct Share {
    size_t count = 0;
    uint64_t oldest = UINT64_MAX;
  };
  std::map<decltype(peer.address), Share> by_address;
  for (const PendingSession& each : pending) {
    Share& share = by_address[each.peer.address];
    ++share.count;
    share.oldest = std::min(share.oldest, each.id);
  }
  const size_t own = by_address[peer.address].count;
  const auto most = std::ranges::max_element(by_address, {},
                                             [](const auto& entry) { return entry.second.count; });
  if (most->second.count <= own + 1) return std::nullopt;
  return most->second.oldest;
}

}  // namespace server
