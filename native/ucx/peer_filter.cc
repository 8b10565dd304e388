#include "ucx/peer_filter.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace ucx {
namespace {

using Program = std::vector<sock_filter>;

constexpr uint32_t kPass = UINT32_MAX;
constexpr uint32_t kDrop = 0;
constexpr uint32_t kNetworkHeader = static_cast<uint32_t>(SKF_NET_OFF);
constexpr uint32_t kIpv4Source = kNetworkHeader + 12;
constexpr uint32_t kIpv6Source = kNetworkHeader + 8;
constexpr size_t kLeafMax = 8;  // of the search by halves
constexpr size_t kIpv6Words = 4;

sock_filter Step(uint16_t code, uint32_t k, uint8_t if_true = 0, uint8_t if_false = 0) {
  return {code, if_true, if_false, k};
}

void Append(Program& program, const Program& more) {
  program.insert(program.end(), more.begin(), more.end());
}

uint32_t WordAt(const HostAddress& address, size_t word) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i)
    value = value << 8 | std::to_integer<uint32_t>(address[4 * word + i]);
  return value;
}

bool IsIpv4(const HostAddress& address) {
  return WordAt(address, 0) == 0 && WordAt(address, 1) == 0 && WordAt(address, 2) == 0xffff;
}

/// Looks for the accumulator's value in `sorted`.
Program SearchIpv4(std::span<const uint32_t> sorted) {
  Program program;
  if (sorted.size() <= kLeafMax) {
    for (const uint32_t each : sorted) {
      program.push_back(Step(BPF_JMP | BPF_JEQ | BPF_K, each, 0, 1));
      program.push_back(Step(BPF_RET | BPF_K, kPass));
    }
    program.push_back(Step(BPF_RET | BPF_K, kDrop));
    return program;
  }
  const size_t half = sorted.size() / 2;
  const Program lower = SearchIpv4(sorted.first(half));
  program.push_back(Step(BPF_JMP | BPF_JGE | BPF_K, sorted[half], 0, 1));
  program.push_back(Step(BPF_JMP | BPF_JA, static_cast<uint32_t>(lower.size())));
  Append(program, lower);
  Append(program, SearchIpv4(sorted.subspan(half)));
  return program;
}

Program Ipv4Program(const std::set<HostAddress>& hosts) {
  std::vector<uint32_t> sorted;
  sorted.reserve(hosts.size());
  for (const HostAddress& each : hosts) sorted.push_back(WordAt(each, 3));
  Program program{Step(BPF_LD | BPF_W | BPF_ABS, kIpv4Source)};
  Append(program, SearchIpv4(sorted));
  return program;
}

Program Ipv6Program(const std::set<HostAddress>& hosts) {
  Program program;
  for (const HostAddress& each : hosts) {
    for (size_t word = 0; word < kIpv6Words; ++word) {
      // A word that differs leads past the rest of this address.
      const auto rest = static_cast<uint8_t>(2 * (kIpv6Words - word - 1) + 1);
      program.push_back(
          Step(BPF_LD | BPF_W | BPF_ABS, kIpv6Source + 4 * static_cast<uint32_t>(word)));
      program.push_back(Step(BPF_JMP | BPF_JEQ | BPF_K, WordAt(each, word), 0, rest));
    }
    program.push_back(Step(BPF_RET | BPF_K, kPass));
  }
  program.push_back(Step(BPF_RET | BPF_K, kDrop));
  return program;
}

bool SetFilter(int fd, std::span<sock_filter> program) {
  const sock_fprog filter{static_cast<uint16_t>(program.size()), program.data()};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == 0;
}

}  // namespace

std::string FilterFault(int error) {
  return std::string("the kernel takes no socket filter (SO_ATTACH_FILTER): ") +
         std::strerror(error);
}

bool DropAllPackets(int fd) {
  sock_filter drop = Step(BPF_RET | BPF_K, kDrop);
  return SetFilter(fd, {&drop, 1});
}

std::optional<std::vector<sock_filter>> HostFilter(const std::set<HostAddress>& hosts) {
  std::set<HostAddress> ipv4;
  std::set<HostAddress> ipv6;
  for (const HostAddress& each : hosts) (IsIpv4(each) ? ipv4 : ipv6).insert(each);
  const Program of_ipv6 = Ipv6Program(ipv6);
  Program program{Step(BPF_LD | BPF_B | BPF_ABS, kNetworkHeader),
                  Step(BPF_ALU | BPF_AND | BPF_K, 0xf0),
                  Step(BPF_JMP | BPF_JEQ | BPF_K, 0x40, 0, 1),
                  Step(BPF_JMP | BPF_JA, static_cast<uint32_t>(of_ipv6.size()))};
  Append(program, of_ipv6);
  Append(program, Ipv4Program(ipv4));
  if (program.size() > BPF_MAXINSNS) return std::nullopt;
  return program;
}

bool PeerFilter::Guard(std::span<const uint16_t> ports, std::string& error) {
  const std::lock_guard lock(mutex_);
  const OwnSockets sockets = descriptors_.SocketsOn(ports);
  Program program = *HostFilter(hosts_);
  for (const ListeningSocket& each : sockets.listening) {
    const Guarded guarded{each.fd, each.inode};
    if (!Attach(guarded, program, error)) return false;
    sockets_.push_back(guarded);
  }
  is_guarding_ = true;
  // Without a ListenGuard a stranger may have come between listen() and the filter.
  for (const AcceptedSocket& each : descriptors_.SocketsOn(ports).accepted)
    descriptors_.EndConnection(each);
  return true;
}

bool PeerFilter::Admit(const std::set<HostAddress>& hosts, std::string& error) {
  const std::lock_guard lock(mutex_);
  std::optional<Program> program = HostFilter(hosts);
  if (!program) {
    error = "the socket filter of UCX's ports holds " + std::to_string(kIpv4HostsMax) +
            " IPv4 or " + std::to_string(kIpv6HostsMax) + " IPv6 addresses, not more";
    return false;
  }
  hosts_ = hosts;
  bool is_attached = true;
  for (const Guarded& each : sockets_) is_attached &= Attach(each, *program, error);
  return is_attached;
}

bool PeerFilter::Admits(const HostAddress& host) const {
  const std::lock_guard lock(mutex_);
  return !is_guarding_ || hosts_.contains(host);
}

bool PeerFilter::Attach(const Guarded& socket, std::span<sock_filter> program, std::string& error) {
  // UCX may have closed the descriptor, and the number may be another's: see EndConnection.
  const int copy = fcntl(socket.fd, F_DUPFD_CLOEXEC, 0);
  const int held = copy < 0 && errno == EMFILE ? socket.fd : copy;
  bool is_attached = true;
  if (held >= 0 && SocketInode(held) == socket.inode) {
    // The kernel charges the old one and the new one together (net.core.optmem_max).
    is_attached = SetFilter(held, program) || (DropAllPackets(held) && SetFilter(held, program));
    if (!is_attached) error = FilterFault(errno);
  }
  if (copy >= 0) close(copy);
  return is_attached;
}

}  // namespace ucx
