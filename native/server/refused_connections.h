#pragma once

#include <ucp/api/ucp.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "ucx/accepted_sockets.h"
#include "ucx/handles.h"

namespace server {

/// Connection requests that are refused. UCX 1.13.1 may abort where a TCP connection is rejected:
/// the rejection asks for the socket to be writable, sends and closes it at once, and the event
/// that comes of it is delivered to the next connection that gets the same descriptor
/// (ucs_async_poll_missed, tcp_sockcm_ep.c:416). So the connection is ended first, and rejected
/// when UCX knows that it is gone: it sends nothing then. For the progress thread.
class RefusedConnections {
 public:
  explicit RefusedConnections(uint16_t listen_port) : ports_{listen_port} {}

  /// `peer`: nothing where UCX did not say.
  void Add(ucp_conn_request_h request, const std::optional<ucx::PeerEnd>& peer);
  [[nodiscard]] bool empty() const { return refused_.empty(); }
  [[nodiscard]] bool IsDue(uint64_t now_ns) const { return !empty() && now_ns >= next_ns_; }
  /// Looks at each descriptor of the process where a request is new.
  void Sweep(uint64_t now_ns, ucx::Listener& listener);
  /// Gives all of them back at once: before the listener goes.
  void Clear(ucx::Listener& listener);

 private:
  struct Refused {
    ucp_conn_request_h request;
    std::optional<ucx::PeerEnd> peer;
    uint64_t ended_ns;  // 0: not yet
  };

  void EndNew(uint64_t now_ns);

  const std::vector<uint16_t> ports_;
  std::vector<Refused> refused_;
  uint64_t next_ns_ = 0;
  ucx::OwnDescriptors descriptors_;
};

}  // namespace server
