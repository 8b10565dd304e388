#pragma once

#include <string>

// UCX opens, binds and listens in one call (ucs_socket_server_init), so a filter that comes after
// it comes too late for peers that connected in between. libucs calls listen() through a slot of
// its own, which is made to call a function here.
namespace ucx {

/// While it lives, sockets with which this thread's calls into UCX listen take no packet, from
/// before they listen; PeerFilter admits hosts to them.
class ListenGuard {
 public:
  /// Does nothing if not `is_wanted`.
  explicit ListenGuard(bool is_wanted);
  ~ListenGuard();
  ListenGuard(const ListenGuard&) = delete;
  ListenGuard& operator=(const ListenGuard&) = delete;

  /// Why sockets may have listened without it; empty: none did.
  [[nodiscard]] static std::string Fault();

 private:
  const bool was_on_;
};

}  // namespace ucx
