#pragma once

#include <ucs/type/status.h>

#include <string>
#include <string_view>

#include "protocol/status.h"

// UCX's status codes as the protocol's: the one switch.
namespace ucx {

[[nodiscard]] protocol::Status StatusFromUcx(ucs_status_t status);

/// UCX's own words, for logs and /health.
[[nodiscard]] std::string_view StatusText(ucs_status_t status);

/// "ucp_init: No such device".
[[nodiscard]] std::string Failed(std::string_view call, ucs_status_t status);

}  // namespace ucx
