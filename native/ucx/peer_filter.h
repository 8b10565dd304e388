#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "ucx/accepted_sockets.h"

// UCX's TCP trusts every byte of every peer, so its listening sockets take packets of admitted
// hosts only: the kernel drops those of others before UCX sees them.
namespace ucx {

/// More hosts than this are admitted by a prefix that they share: their neighbours come with them.
inline constexpr size_t kIpv4HostsMax = 256;
inline constexpr size_t kIpv6HostsMax = 128;

/// A socket filter (SO_ATTACH_FILTER) that passes packets whose source address is one of `hosts`.
[[nodiscard]] std::vector<sock_filter> HostFilter(const std::set<HostAddress>& hosts);

/// Any thread.
class PeerFilter {
 public:
  /// Drops all packets to these TCP ports, on which this process listens, and ends the connections
  /// that came before. False: the kernel takes no filter; `error` says why, and the ports are open.
  bool Guard(std::span<const uint16_t> ports, std::string& error);

  /// From now on the guarded ports take packets of these hosts, and of no other; connections that
  /// were accepted stay. False: the hosts of the last call keep on being admitted.
  bool Admit(const std::set<HostAddress>& hosts, std::string& error);

 private:
  struct Guarded {
    int fd;
    uint64_t inode;
  };

  bool Attach(const Guarded& socket, std::span<sock_filter> program, std::string& error);

  std::mutex mutex_;
  std::vector<Guarded> sockets_;
  std::set<HostAddress> hosts_;
  OwnDescriptors descriptors_;
};

}  // namespace ucx
