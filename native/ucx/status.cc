#include "ucx/status.h"

namespace ucx {

using protocol::Status;

Status StatusFromUcx(ucs_status_t status) {
  switch (status) {
    case UCS_OK:
      return Status::ok;
    case UCS_ERR_CANCELED:
      return Status::closed;
    case UCS_ERR_TIMED_OUT:
      return Status::deadline;
    case UCS_ERR_NO_MEMORY:
    case UCS_ERR_NO_RESOURCE:
    case UCS_ERR_EXCEEDS_LIMIT:
      return Status::overload;
    case UCS_ERR_MESSAGE_TRUNCATED:
    case UCS_ERR_INVALID_PARAM:
      return Status::protocol_error;
    // A peer that died, was killed or force-closed shows as any of these, by transport and moment.
    case UCS_ERR_CONNECTION_RESET:
    case UCS_ERR_ENDPOINT_TIMEOUT:
    case UCS_ERR_NOT_CONNECTED:
    case UCS_ERR_UNREACHABLE:
    case UCS_ERR_REJECTED:
    case UCS_ERR_NO_DEVICE:
    case UCS_ERR_IO_ERROR:
      return Status::peer_lost;
    default:
      return Status::io_error;
  }
}

std::string_view StatusText(ucs_status_t status) { return ucs_status_string(status); }

std::string Failed(std::string_view call, ucs_status_t status) {
  std::string text(call);
  text += ": ";
  text += StatusText(status);
  return text;
}

}  // namespace ucx
