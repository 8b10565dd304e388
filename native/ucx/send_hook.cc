#include "ucx/send_hook.h"

#include <ucs/sys/sock.h>

#include "ucx/library_calls.h"

namespace ucx {
namespace {

/// The kernel tells the receiving side of a connection's end, too, and wakes it: nothing is lost.
ucs_status_t SendUnlessBroken(int fd, iovec* parts, size_t count, size_t* sent_bytes) {
  const ucs_status_t status = ucs_socket_sendv_nb(fd, parts, count, sent_bytes);
  if (status == UCS_OK) return UCS_OK;
  *sent_bytes = 0;
  return UCS_ERR_NO_PROGRESS;
}

}  // namespace

bool HearOfBrokenConnectionsByReceiving() {
  static const bool is_hooked =
      RedirectCalls("libuct.so", "ucs_socket_sendv_nb",
                    reinterpret_cast<void*>(&SendUnlessBroken)) != nullptr;
  return is_hooked;
}

}  // namespace ucx
