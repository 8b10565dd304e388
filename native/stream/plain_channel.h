#pragma once

#include "stream/channel.h"

namespace stream {

/// Owns a socket.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

  /// Non-blocking, without Nagle's delay, and lost when the peer's host no longer answers.
  [[nodiscard]] bool Prepare(std::string& error) const;

 private:
  const int fd_;
};

class PlainChannel final : public Channel {
 public:
  explicit PlainChannel(int fd) : socket_(fd) {}
  [[nodiscard]] bool Prepare(std::string& error) const { return socket_.Prepare(error); }
  Result Read(std::span<std::byte> first, std::span<std::byte> second) override;
  Result Write(std::span<const iovec> parts) override;
  int fd() const override { return socket_.fd(); }
  std::string Name() const override { return "tcp"; }
  const std::string& fault() const override { return fault_; }

 private:
  Result ResultOf(ssize_t bytes);
  Socket socket_;
  std::string fault_;
};

}  // namespace stream
