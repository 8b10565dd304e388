#include "ucx/listen_hook.h"

#include <sys/socket.h>

#include <cerrno>

#include "ucx/library_calls.h"
#include "ucx/peer_filter.h"

namespace ucx {
namespace {

thread_local bool is_guarding = false;
thread_local int failure = 0;  // errno of the last filter that was refused

int GuardedListen(int fd, int backlog) {
  if (is_guarding && !DropAllPackets(fd)) failure = errno;
  return listen(fd, backlog);
}

bool IsHooked() {
  static const bool is_hooked =
      RedirectCalls("libucs.so", "listen", reinterpret_cast<void*>(&GuardedListen)) != nullptr;
  return is_hooked;
}

}  // namespace

ListenGuard::ListenGuard(bool is_wanted) : was_on_(is_guarding) {
  if (!is_wanted) return;
  failure = 0;
  is_guarding = IsHooked();
}

ListenGuard::~ListenGuard() { is_guarding = was_on_; }

std::string ListenGuard::Fault() {
  if (failure != 0) return FilterFault(failure);
  return IsHooked() ? "" : "libucs.so calls listen() in a way that is not known";
}

}  // namespace ucx
