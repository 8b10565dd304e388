#include "ucx/accepted_sockets.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace ucx {
namespace {

/// Numbers of linux/tcp.h; netinet/tcp.h, which names them, cannot be included beside it.
constexpr uint8_t kEstablished = 1;
constexpr uint8_t kCloseWait = 8;

template <typename Use>
size_t ForEachDescriptor(DIR* folder, Use&& use) {
  if (folder == nullptr) return 0;
  rewinddir(folder);
  size_t count = 0;
  while (const dirent* entry = readdir(folder)) {
    char* end = nullptr;
    const long fd = std::strtol(entry->d_name, &end, 10);
    if (end == entry->d_name || fd == dirfd(folder)) continue;
    ++count;
    use(static_cast<int>(fd));
  }
  return count;
}

DIR* OpenOwnDescriptors() { return opendir("/proc/self/fd"); }

/// Nothing also where the kernel gives less than `bytes_min`: an older one knows fewer fields.
template <typename Value>
std::optional<Value> SocketOption(int fd, int level, int name, size_t bytes_min = sizeof(Value)) {
  Value value{};
  socklen_t bytes = sizeof(value);
  if (getsockopt(fd, level, name, &value, &bytes) != 0 || bytes < bytes_min) return std::nullopt;
  return value;
}

std::optional<tcp_info> TcpInfo(int fd) {
  constexpr size_t kBytesMin =
      offsetof(tcp_info, tcpi_bytes_received) + sizeof(tcp_info::tcpi_bytes_received);
  return SocketOption<tcp_info>(fd, IPPROTO_TCP, TCP_INFO, kBytesMin);
}

/// Zero: not a bound TCP socket.
uint16_t LocalTcpPort(int fd) {
  if (SocketOption<int>(fd, SOL_SOCKET, SO_PROTOCOL) != IPPROTO_TCP) return 0;
  sockaddr_storage local{};
  socklen_t bytes = sizeof(local);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&local), &bytes) != 0) return 0;
  const auto end = PeerEndOf(local);
  return end ? end->port : 0;
}

bool IsListening(int fd) {
  return SocketOption<int>(fd, SOL_SOCKET, SO_ACCEPTCONN).value_or(0) != 0;
}

std::optional<AcceptedSocket> AcceptedOn(int fd, std::span<const uint16_t> ports) {
  const uint16_t local_port = LocalTcpPort(fd);
  if (local_port == 0 || std::ranges::find(ports, local_port) == ports.end()) return std::nullopt;
  sockaddr_storage peer{};
  socklen_t bytes = sizeof(peer);
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &bytes) != 0) return std::nullopt;
  const auto end = PeerEndOf(peer);
  const auto info = TcpInfo(fd);
  const uint64_t inode = SocketInode(fd);
  if (!end || !info || inode == 0) return std::nullopt;
  if (info->tcpi_state != kEstablished && info->tcpi_state != kCloseWait) return std::nullopt;
  return AcceptedSocket{fd, inode, *end, local_port, info->tcpi_bytes_received};
}

}  // namespace

uint64_t SocketInode(int fd) {
  struct stat facts{};
  return fstat(fd, &facts) == 0 && S_ISSOCK(facts.st_mode) ? facts.st_ino : 0;
}

std::optional<PeerEnd> PeerEndOf(const sockaddr_storage& address) {
  PeerEnd end;
  if (address.ss_family == AF_INET) {
    const auto& ipv4 = reinterpret_cast<const sockaddr_in&>(address);
    end.address[10] = end.address[11] = std::byte{0xff};
    std::memcpy(&end.address[12], &ipv4.sin_addr, sizeof(ipv4.sin_addr));
    end.port = ntohs(ipv4.sin_port);
    return end;
  }
  if (address.ss_family != AF_INET6) return std::nullopt;
  const auto& ipv6 = reinterpret_cast<const sockaddr_in6&>(address);
  std::memcpy(end.address.data(), &ipv6.sin6_addr, sizeof(ipv6.sin6_addr));
  end.port = ntohs(ipv6.sin6_port);
  return end;
}

std::vector<uint16_t> ListeningPorts() {
  std::vector<uint16_t> ports;
  DIR* folder = OpenOwnDescriptors();
  ForEachDescriptor(folder, [&ports](int fd) {
    if (!IsListening(fd)) return;
    const uint16_t port = LocalTcpPort(fd);
    if (port != 0 && std::ranges::find(ports, port) == ports.end()) ports.push_back(port);
  });
  if (folder != nullptr) closedir(folder);
  return ports;
}

std::vector<uint16_t> ListeningPortsSince(std::span<const uint16_t> before) {
  std::vector<uint16_t> ports = ListeningPorts();
  std::erase_if(ports,
                [&](uint16_t port) { return std::ranges::find(before, port) != before.end(); });
  return ports;
}

OwnDescriptors::OwnDescriptors() : folder_(OpenOwnDescriptors()) {}

OwnDescriptors::~OwnDescriptors() {
  if (folder_ != nullptr) closedir(static_cast<DIR*>(folder_));
}

OwnSockets OwnDescriptors::SocketsOn(std::span<const uint16_t> ports) {
  OwnSockets sockets;
  sockets.descriptors = ForEachDescriptor(static_cast<DIR*>(folder_), [&](int fd) {
    if (const auto socket = AcceptedOn(fd, ports)) {
      sockets.accepted.push_back(*socket);
    } else if (IsListening(fd)) {
      const uint16_t port = LocalTcpPort(fd);
      if (std::ranges::find(ports, port) != ports.end())
        sockets.listening.push_back({fd, SocketInode(fd), port});
    }
  });
  return sockets;
}

bool OwnDescriptors::EndConnection(const AcceptedSocket& socket) {
  // UCX may close the descriptor at any moment, and the number may be another's by then: the copy
  // holds whatever it is now, and is compared before anything is done to it.
  const int copy = fcntl(socket.fd, F_DUPFD_CLOEXEC, 0);
  // With none left for a copy UCX takes each that comes free to accept one more: the connection
  // must go, though its number could change hands between the two calls.
  const int held = copy < 0 && errno == EMFILE ? socket.fd : copy;
  const bool is_same = held >= 0 && SocketInode(held) == socket.inode;
  if (is_same) shutdown(held, SHUT_RDWR);
  if (copy >= 0) close(copy);
  return is_same;
}

}  // namespace ucx
