#pragma once

#include <ucp/api/ucp.h>

#include <string>

#include "ucx/handles.h"

// UCX's own account of itself: which transport carries an endpoint's messages, and what this host
// offers.
namespace ucx {

/// The name of the active-message lane's transport ("tcp", "posix", "rc_mlx5"), "unknown" when UCX
/// does not tell. Prints and parses: once per connection, after the first message has arrived on
/// it.
[[nodiscard]] std::string MessageTransport(const Endpoint& endpoint);

/// From the text of ucp_ep_print_info: the transport of the lane marked "am"; empty when there is
/// none.
[[nodiscard]] std::string MessageTransportFromInfo(const std::string& info);

/// Lists the transports that a context may use, as "tcp/lo" or "posix/memory".
[[nodiscard]] std::vector<std::string> ContextTransports(ucp_context_h context);

/// Whether one of them carries active messages to another process. UCX 1.13 does not say so itself:
/// it connects, fails, and crashes in ucp_ep_set_failed.
[[nodiscard]] bool ReachOtherProcesses(const std::vector<std::string>& transports);

struct Capabilities {
  std::string version;
  std::string text;                     // ucp_context_print_info, as it is
  std::vector<std::string> transports;  // "tcp/lo", "posix/memory", …
};

/// Nothing when UCX cannot start with these options; `error` then says why.
[[nodiscard]] std::optional<Capabilities> QueryCapabilities(const ContextOptions& options,
                                                            std::string& error);

}  // namespace ucx
