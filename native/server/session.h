#pragma once

#include <cstdint>
#include <memory>

#include "fabric/link.h"
#include "ucx/accepted_sockets.h"
#include "ucx/handles.h"
#include "ucx/session_proof.h"

namespace server {

/// One proxy's connection. Belongs to the progress thread.
struct Session {
  enum class State {
    kGreeting,  // connected; waits for HELLO
    kProving,   // challenged; waits for PROOF
    kServing,   // welcomed
    kLeaving,   // refused or said goodbye: lingers so that what was sent arrives, then closes
  };

  uint64_t id = 0;
  std::unique_ptr<fabric::Link> link;
  ucp_ep_h endpoint = nullptr;  // of a link over UCX
  ucx::PeerEnd peer;
  State state = State::kGreeting;
  ucx::HandshakeFacts facts{};
  ucx::SharedSecrets secrets;  // kProving: those of its CHALLENGE
  uint64_t accepted_ns = 0;
  uint64_t last_message_ns = 0;
  uint64_t linger_until_ns = 0;     // kLeaving
  uint32_t share = 0;               // of the arena
  uint32_t requests_in_flight = 0;  // asked of the engine, or answers being sent
  uint64_t list_bytes = 0;          // of answers to VALIDATE that are being sent
  uint32_t volume_pages_in_flight = 0;
  bool volumes_due = false;  // the list changed while the last one was being sent
  bool was_welcomed = false;
  bool has_leases = false;  // agreed on in HELLO and CHALLENGE
  bool doomed = false;      // to be closed as soon as no callback of a fabric is on the stack
};

}  // namespace server
