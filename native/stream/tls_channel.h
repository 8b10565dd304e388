#pragma once

#include <openssl/ssl.h>

#include <vector>

#include "stream/channel.h"

namespace stream {

/// TLS 1.3 with a pre-shared key: both ends prove that they know it, and the bytes between them are
/// enciphered, with keys of their own for each connection. There are no certificates. The handshake
/// goes on in Read() and Write().
class TlsChannel final : public Channel {
 public:
  [[nodiscard]] static std::unique_ptr<TlsChannel> Create(std::unique_ptr<Channel> socket,
                                                          const PreSharedKey& key, bool is_server,
                                                          std::string& error);
  ~TlsChannel() override;
  Result Read(std::span<std::byte> first, std::span<std::byte> second) override;
  Result Write(std::span<const iovec> parts) override;
  int fd() const override { return socket_->fd(); }
  std::string Name() const override;
  const std::string& fault() const override { return fault_; }

 private:
  TlsChannel(std::unique_ptr<Channel> socket, const PreSharedKey& key);
  bool Start(bool is_server);
  /// `own_direction` is the error of OpenSSL that the caller's direction waits for.
  [[nodiscard]] Result ResultOf(int returned, int own_direction);
  /// True where the peer has shown that it knows the key.
  [[nodiscard]] bool IsProved();

  // OpenSSL's questions for the key.
  static int UseKey(SSL* ssl, const EVP_MD* digest, const unsigned char** id, size_t* id_bytes,
                    SSL_SESSION** session);
  static int FindKey(SSL* ssl, const unsigned char* id, size_t id_bytes, SSL_SESSION** session);
  [[nodiscard]] SSL_SESSION* MakeSession() const;

  std::unique_ptr<Channel> socket_;
  PreSharedKey key_;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
  std::vector<std::byte> record_;  // short parts, to be enciphered together
  bool is_proved_ = false;
  std::string fault_;
};

}  // namespace stream
