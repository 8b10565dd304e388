#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "ucx/accepted_sockets.h"

// UCX's TCP trusts every byte of every peer, so its listening sockets take packets of admitted
// hosts only: the kernel drops those of others before UCX sees them.
namespace ucx {

/// A filter for the kernel has 4,096 steps: no more hosts of IPv4 fit. Those of IPv6 need more of
/// the kernel's memory (net.core.optmem_max), which by default has room for this many.
inline constexpr size_t kIpv4HostsMax = 1662;
inline constexpr size_t kIpv6HostsMax = 400;

/// A socket filter (SO_ATTACH_FILTER) that passes packets whose source address is one of `hosts`.
/// Nothing: they are too many.
[[nodiscard]] std::optional<std::vector<sock_filter>> HostFilter(
    const std::set<HostAddress>& hosts);

/// In words: why the kernel did not take a filter. `error` is an errno.
[[nodiscard]] std::string FilterFault(int error);

/// Gives a socket the filter that passes nothing. False: see errno.
[[nodiscard]] bool DropAllPackets(int fd);

/// Any thread.
class PeerFilter {
 public:
  /// Drops all packets to these TCP ports, on which this process listens, and ends the connections
  /// that came before. False: the kernel takes no filter; `error` says why, and the ports are open.
  bool Guard(std::span<const uint16_t> ports, std::string& error);

  /// From now on the guarded ports take packets of these hosts, and of no other; connections that
  /// were accepted stay. False: a port may take no packet at all.
  bool Admit(const std::set<HostAddress>& hosts, std::string& error);

  /// Whether packets of this host are taken, as far as this filter goes: without Guard() of every
  /// host.
  [[nodiscard]] bool Admits(const HostAddress& host) const;

 private:
  struct Guarded {
    int fd;
    uint64_t inode;
  };

  bool Attach(const Guarded& socket, std::span<sock_filter> program, std::string& error);

  mutable std::mutex mutex_;
  bool is_guarding_ = false;
  std::vector<Guarded> sockets_;
  std::set<HostAddress> hosts_;
  OwnDescriptors descriptors_;
};

}  // namespace ucx
