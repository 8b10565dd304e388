#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "client/client.h"
#include "fabric/link.h"
#include "ucx/handles.h"
#include "ucx/session_proof.h"

namespace client {

/// The one connection to a target, as it is now. Callbacks of the fabrics only note what happened
/// (`is_noted`); events are made, and links closed, when no callback is on the stack.
struct TargetConnection {
  enum class State {
    kDown,      // no link
    kGreeting,  // HELLO is out
    kProving,   // PROOF is out
    kUp,        // welcomed
    kLeaving,   // the target said goodbye: what is in flight may finish
  };

  TargetId id = 0;
  TargetAddress address;
  State state = State::kDown;
  std::unique_ptr<fabric::Link> link;
  ucp_ep_h endpoint = nullptr;  // of a link over UCX
  ucx::HandshakeFacts facts{};
  uint64_t connect_by_ns = 0;
  uint64_t session_id = 0;
  bool has_leases = false;  // agreed on in HELLO and CHALLENGE
  uint32_t requests_max = 0;
  uint32_t validate_items_max = 0;
  uint32_t requests_in_flight = 0;

  std::vector<engine::AnnouncedVolume> volumes;  // the last complete list
  std::vector<engine::AnnouncedVolume> pages;    // the list being received
  uint64_t pages_generation = 0;
  uint32_t pages_received = 0;
  uint32_t pages_total = 0;

  bool is_noted = false;   // in SessionClient's list of connections to look at
  bool is_up_due = false;  // events to be made
  bool is_volumes_due = false;
  bool is_failed = false;  // to be closed; why:
  protocol::Status failure{};
  std::string failure_detail;
};

}  // namespace client
