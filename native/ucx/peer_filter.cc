#include "ucx/peer_filter.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

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

HostAddress Masked(HostAddress address, size_t bits) {
  for (size_t i = 0; i < address.size(); ++i) {
    const size_t kept = std::min<size_t>(8, bits - std::min(bits, 8 * i));
    address[i] &= std::byte(0xff << (8 - kept) & 0xff);
  }
  return address;
}

/// The longest prefix by which these are no more than `count_max`, and what they are then.
std::pair<size_t, std::set<HostAddress>> Shortened(std::set<HostAddress> hosts, size_t count_max) {
  size_t bits = 128;
  while (hosts.size() > count_max) {
    --bits;
    std::set<HostAddress> shorter;
    for (const HostAddress& each : hosts) shorter.insert(Masked(each, bits));
    hosts = std::move(shorter);
  }
  return {bits, std::move(hosts)};
}

uint32_t WordMask(size_t bits, size_t word) {
  HostAddress all;
  all.fill(std::byte{0xff});
  return WordAt(Masked(all, bits), word);
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

Program Ipv4Program(std::set<HostAddress> hosts) {
  const auto [bits, prefixes] = Shortened(std::move(hosts), kIpv4HostsMax);
  std::vector<uint32_t> sorted;
  for (const HostAddress& each : prefixes) sorted.push_back(WordAt(each, 3));
  Program program{Step(BPF_LD | BPF_W | BPF_ABS, kIpv4Source),
                  Step(BPF_ALU | BPF_AND | BPF_K, WordMask(bits, 3))};
  Append(program, SearchIpv4(sorted));
  return program;
}

Program Ipv6Program(std::set<HostAddress> hosts) {
  const auto [bits, prefixes] = Shortened(std::move(hosts), kIpv6HostsMax);
  Program program;
  for (const HostAddress& each : prefixes) {
    for (size_t word = 0; word < kIpv6Words; ++word) {
      // A word that differs leads past the rest of this address.
      const auto rest = static_cast<uint8_t>(3 * (kIpv6Words - word - 1) + 1);
      program.push_back(
          Step(BPF_LD | BPF_W | BPF_ABS, kIpv6Source + 4 * static_cast<uint32_t>(word)));
      program.push_back(Step(BPF_ALU | BPF_AND | BPF_K, WordMask(bits, word)));
      program.push_back(Step(BPF_JMP | BPF_JEQ | BPF_K, WordAt(each, word), 0, rest));
    }
    program.push_back(Step(BPF_RET | BPF_K, kPass));
  }
  program.push_back(Step(BPF_RET | BPF_K, kDrop));
  return program;
}

std::string Refused() {
  return std::string("the kernel takes no socket filter (SO_ATTACH_FILTER): ") +
         std::strerror(errno);
}

}  // namespace

std::vector<sock_filter> HostFilter(const std::set<HostAddress>& hosts) {
  std::set<HostAddress> ipv4;
  std::set<HostAddress> ipv6;
  for (const HostAddress& each : hosts) (IsIpv4(each) ? ipv4 : ipv6).insert(each);
  const Program of_ipv6 = Ipv6Program(std::move(ipv6));
  Program program{Step(BPF_LD | BPF_B | BPF_ABS, kNetworkHeader),
                  Step(BPF_ALU | BPF_AND | BPF_K, 0xf0),
                  Step(BPF_JMP | BPF_JEQ | BPF_K, 0x40, 0, 1),
                  Step(BPF_JMP | BPF_JA, static_cast<uint32_t>(of_ipv6.size()))};
  Append(program, of_ipv6);
  Append(program, Ipv4Program(std::move(ipv4)));
  return program;
}

bool PeerFilter::Guard(std::span<const uint16_t> ports, std::string& error) {
  const std::lock_guard lock(mutex_);
  const OwnSockets sockets = descriptors_.SocketsOn(ports);
  Program program = HostFilter(hosts_);
  for (const ListeningSocket& each : sockets.listening) {
    const Guarded guarded{each.fd, each.inode};
    if (!Attach(guarded, program, error)) return false;
    sockets_.push_back(guarded);
  }
  // Between listen() and the filter a stranger may have come.
  for (const AcceptedSocket& each : descriptors_.SocketsOn(ports).accepted)
    descriptors_.EndConnection(each);
  return true;
}

bool PeerFilter::Admit(const std::set<HostAddress>& hosts, std::string& error) {
  const std::lock_guard lock(mutex_);
  Program program = HostFilter(hosts);
  for (const Guarded& each : sockets_) {
    if (!Attach(each, program, error)) return false;
  }
  hosts_ = hosts;
  return true;
}

bool PeerFilter::Attach(const Guarded& socket, std::span<sock_filter> program, std::string& error) {
  // UCX may have closed the descriptor, and the number may be another's: see EndConnection.
  const int copy = fcntl(socket.fd, F_DUPFD_CLOEXEC, 0);
  const int held = copy < 0 && errno == EMFILE ? socket.fd : copy;
  bool is_attached = true;
  if (held >= 0 && SocketInode(held) == socket.inode) {
    const sock_fprog filter{static_cast<uint16_t>(program.size()), program.data()};
    is_attached = setsockopt(held, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == 0;
    if (!is_attached) error = Refused();
  }
  if (copy >= 0) close(copy);
  return is_attached;
}

}  // namespace ucx
