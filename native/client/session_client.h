#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "client/client.h"
#include "memory/arena.h"

// The Client of targets in other processes, over UCX, TCP connections of ours, or both: all on the
// caller's thread, one link a target.
namespace client {

struct SessionClientOptions {
  std::string device_name = "auto";  // UCX_NET_DEVICES; "auto" leaves UCX's own choice
  /// Devices of rails, as UCX_NET_DEVICES each: UCX is started once for each of them, in place of
  /// device_name. One that UCX cannot use is left out, as long as another is there.
  std::vector<std::string> rails = {};
  std::string tls = "auto";  // UCX_TLS
  uint32_t requests_max =
      4096;  // in flight over all targets, at most 65535; more complete with overload
  ucx::WaitingConnections::Rules connections = {};
  bool is_ucx = true;       // else the client has the streams alone that it is given
  bool is_guarded = false;  // UCX's TCP ports take packets of admitted hosts only
  bool is_ipv6 = false;     // of UCX's TCP, which speaks one family; targets of the other fail
};

/// Registers the whole of `arena` with UCX, once for each rail. The arena must outlive the client,
/// and so must every lease that its completions carried be gone before the arena. All calls come
/// from the creating thread. Nothing when UCX cannot start or the arena cannot be registered;
/// `error` then says why and what to do.
[[nodiscard]] std::unique_ptr<Client> CreateSessionClient(const SessionClientOptions& options,
                                                          memory::Arena& arena, std::string& error);

}  // namespace client
