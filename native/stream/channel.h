#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace stream {

/// 32 bytes that only the two ends know: TLS 1.3's pre-shared key, of one link.
using PreSharedKey = std::array<uint8_t, 32>;

/// A link's needs beside its socket.
struct Security {
  bool is_server = false;
  std::optional<PreSharedKey> key;  // nothing: the bytes go as they are
};

/// The bytes of one connection, enciphered or not. Never blocks.
class Channel {
 public:
  enum class State {
    kMoved,    // `bytes` over 0
    kBlocked,  // until the socket can go on in the same direction
    kCrossed,  // until it can in the other one: TLS's own messages
    kEnded,    // the peer has closed its side
    kFailed,   // see fault()
  };
  struct Result {
    State state;
    size_t bytes = 0;
    bool is_all = false;  // reads only: the socket had no more
  };

  virtual ~Channel() = default;
  /// Into `first`, and what does not fit there into `second`.
  [[nodiscard]] virtual Result Read(std::span<std::byte> first, std::span<std::byte> second) = 0;
  /// After kBlocked the next call begins with the same bytes, and may have more behind them.
  [[nodiscard]] virtual Result Write(std::span<const iovec> parts) = 0;
  [[nodiscard]] virtual int fd() const = 0;
  /// "tcp", "tls", "ktls": the last where the kernel enciphers what is sent.
  [[nodiscard]] virtual std::string Name() const = 0;
  /// Why a call failed.
  [[nodiscard]] virtual const std::string& fault() const = 0;
};

/// Takes `fd`, a connected TCP socket, and closes it in the end. Null: it cannot be used; `error`
/// says why, and the descriptor is closed.
[[nodiscard]] std::unique_ptr<Channel> OpenChannel(int fd, const Security& security,
                                                   std::string& error);

}  // namespace stream
