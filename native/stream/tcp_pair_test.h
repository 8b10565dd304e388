#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

// TCP connections on loopback, for the tests of what goes over them.
namespace stream_test {

/// A TCP socket that listens on loopback, and its port.
inline std::pair<int, uint16_t> TcpListener() {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(bind(listener, any, bytes), 0);
  EXPECT_EQ(listen(listener, 16), 0);
  EXPECT_EQ(getsockname(listener, any, &bytes), 0);
  return {listener, ntohs(address.sin_port)};
}

/// A connection to a port on loopback.
inline int TcpConnection(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  return fd;
}

inline int AcceptTcp(int listener) { return accept4(listener, nullptr, nullptr, SOCK_CLOEXEC); }

/// Two ends of one connection.
inline std::pair<int, int> TcpPair() {
  const auto [listener, port] = TcpListener();
  const int from = TcpConnection(port);
  const int to = AcceptTcp(listener);
  close(listener);
  return {from, to};
}

}  // namespace stream_test
