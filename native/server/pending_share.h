#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "ucx/accepted_sockets.h"

namespace server {

/// A session that has not proved yet that it may read.
struct PendingSession {
  uint64_t id;  // they grow
  ucx::PeerEnd peer;
};

/// Where all places are taken: the session that gives its own to a newcomer from `peer`. It is the
/// oldest of the address that has most, if that has more than the newcomer's would have then; else
/// nothing.
[[nodiscard]] std::optional<uint64_t> GivesPlace(std::span<const PendingSession> pending,
                                                 const ucx::PeerEnd& peer);

}  // namespace server
