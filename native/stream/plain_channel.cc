#include "stream/plain_channel.h"

#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "stream/tls_channel.h"

namespace stream {
namespace {

/// Bytes in the kernel that are not sent yet: what is posted later waits for them.
constexpr int kNotSentBytesMax = 256 << 10;
/// Without an answer from the peer's host for so long, the connection is lost.
constexpr int kUserTimeoutMs = 10'000;
constexpr int kKeepIdleS = 5;
constexpr int kKeepIntervalS = 2;
constexpr int kKeepCount = 3;

bool SetTcp(int fd, int option, int value) {
  return setsockopt(fd, IPPROTO_TCP, option, &value, sizeof(value)) == 0;
}

}  // namespace

Socket::~Socket() { close(fd_); }

bool Socket::Prepare(std::string& error) const {
  const int on = 1;
  const int flags = fcntl(fd_, F_GETFL);
  const bool is_ready =
      flags >= 0 && fcntl(fd_, F_SETFL, flags | O_NONBLOCK) == 0 && SetTcp(fd_, TCP_NODELAY, 1) &&
      SetTcp(fd_, TCP_NOTSENT_LOWAT, kNotSentBytesMax) &&
      SetTcp(fd_, TCP_USER_TIMEOUT, kUserTimeoutMs) &&
      setsockopt(fd_, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) == 0 &&
      SetTcp(fd_, TCP_KEEPIDLE, kKeepIdleS) && SetTcp(fd_, TCP_KEEPINTVL, kKeepIntervalS) &&
      SetTcp(fd_, TCP_KEEPCNT, kKeepCount);
  if (!is_ready) error = std::string("not a TCP connection that can be used: ") + strerror(errno);
  return is_ready;
}

Channel::Result PlainChannel::Read(std::span<std::byte> first, std::span<std::byte> second) {
  const std::array<iovec, 2> into{{{first.data(), first.size()}, {second.data(), second.size()}}};
  const ssize_t bytes = readv(fd(), into.data(), into.size());
  if (bytes == 0) return {State::kEnded};
  Result result = ResultOf(bytes);
  result.is_all = result.bytes < first.size() + second.size();
  return result;
}

Channel::Result PlainChannel::Write(std::span<const iovec> parts) {
  // sendmsg alone has MSG_NOSIGNAL: a peer that has gone is no signal.
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts.data());
  message.msg_iovlen = parts.size();
  return ResultOf(sendmsg(fd(), &message, MSG_NOSIGNAL));
}

Channel::Result PlainChannel::ResultOf(ssize_t bytes) {
  if (bytes >= 0) return {State::kMoved, static_cast<size_t>(bytes)};
  if (errno == EAGAIN || errno == EINTR) return {State::kBlocked};
  fault_ = strerror(errno);
  return {State::kFailed};
}

std::unique_ptr<Channel> OpenChannel(int fd, const Security& security, std::string& error) {
  auto plain = std::make_unique<PlainChannel>(fd);
  if (!plain->Prepare(error)) return nullptr;
  if (!security.key) return plain;
  return TlsChannel::Create(std::move(plain), *security.key, security.is_server, error);
}

}  // namespace stream
