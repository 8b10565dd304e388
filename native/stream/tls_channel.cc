#include "stream/tls_channel.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace stream {
namespace {

constexpr size_t kRecordBytesMax = 16 << 10;  // of TLS
constexpr size_t kReadBytes = 64 << 10;
/// The cipher whose hash belongs to a key of 32 bytes (RFC 8446, 4.2.11), as TLS writes it. Which
/// cipher the two ends agree on is their choice.
constexpr unsigned char kKeyCipher[] = {0x13, 0x01};
constexpr char kCiphers[] = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256";
constexpr std::string_view kKeyName = "seaweed-rdma";

std::string Why(const char* otherwise) {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0) return otherwise;
  const char* const reason = ERR_reason_error_string(code);
  return std::string("TLS: ") + (reason != nullptr ? reason : otherwise);
}

}  // namespace

std::unique_ptr<TlsChannel> TlsChannel::Create(std::unique_ptr<Channel> socket,
                                               const PreSharedKey& key, bool is_server,
                                               std::string& error) {
  auto channel = std::unique_ptr<TlsChannel>(new TlsChannel(std::move(socket), key));
  if (channel->Start(is_server)) return channel;
  error = Why("TLS cannot be started");
  return nullptr;
}

TlsChannel::TlsChannel(std::unique_ptr<Channel> socket, const PreSharedKey& key)
    : socket_(std::move(socket)), key_(key) {}

TlsChannel::~TlsChannel() {
  SSL_free(ssl_);
  SSL_CTX_free(context_);
  OPENSSL_cleanse(key_.data(), key_.size());
}

bool TlsChannel::Start(bool is_server) {
  ERR_clear_error();
  context_ = SSL_CTX_new(TLS_method());
  if (context_ == nullptr) return false;
  SSL_CTX_set_mode(context_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
#ifdef SSL_OP_ENABLE_KTLS
  SSL_CTX_set_options(context_, SSL_OP_ENABLE_KTLS);
#endif
  SSL_CTX_set_options(context_, SSL_OP_NO_RENEGOTIATION);
  // One system call for what has come, not two for each record.
  SSL_CTX_set_read_ahead(context_, 1);
  SSL_CTX_set_default_read_buffer_len(context_, kReadBytes);
  // Without the key no handshake succeeds: the server has no certificate, the client trusts none.
  if (!is_server) SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_psk_use_session_callback(context_, &TlsChannel::UseKey);
  SSL_CTX_set_psk_find_session_callback(context_, &TlsChannel::FindKey);
  const bool is_ready = SSL_CTX_set_min_proto_version(context_, TLS1_3_VERSION) == 1 &&
                        SSL_CTX_set_ciphersuites(context_, kCiphers) == 1 &&
                        SSL_CTX_set_num_tickets(context_, 0) == 1;
  ssl_ = is_ready ? SSL_new(context_) : nullptr;
  if (ssl_ == nullptr || SSL_set_app_data(ssl_, this) != 1 || SSL_set_fd(ssl_, fd()) != 1)
    return false;
  if (is_server)
    SSL_set_accept_state(ssl_);
  else
    SSL_set_connect_state(ssl_);
  return true;
}

SSL_SESSION* TlsChannel::MakeSession() const {
  SSL_SESSION* const session = SSL_SESSION_new();
  const SSL_CIPHER* const cipher = SSL_CIPHER_find(ssl_, kKeyCipher);
  const bool is_made = session != nullptr && cipher != nullptr &&
                       SSL_SESSION_set1_master_key(session, key_.data(), key_.size()) == 1 &&
                       SSL_SESSION_set_cipher(session, cipher) == 1 &&
                       SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1;
  if (is_made) return session;
  SSL_SESSION_free(session);
  return nullptr;
}

int TlsChannel::UseKey(SSL* ssl, const EVP_MD* digest, const unsigned char** id, size_t* id_bytes,
                       SSL_SESSION** session) {
  const auto* const self = static_cast<TlsChannel*>(SSL_get_app_data(ssl));
  *session = self->MakeSession();
  // After a retry only a key of the chosen hash may be offered.
  if (*session != nullptr && digest != nullptr &&
      digest != SSL_CIPHER_get_handshake_digest(SSL_SESSION_get0_cipher(*session))) {
    SSL_SESSION_free(*session);
    *session = nullptr;
  }
  *id = reinterpret_cast<const unsigned char*>(kKeyName.data());
  *id_bytes = kKeyName.size();
  return 1;
}

int TlsChannel::FindKey(SSL* ssl, const unsigned char* id, size_t id_bytes, SSL_SESSION** session) {
  const auto* const self = static_cast<TlsChannel*>(SSL_get_app_data(ssl));
  const std::string_view name(reinterpret_cast<const char*>(id), id_bytes);
  *session = name == kKeyName ? self->MakeSession() : nullptr;
  return 1;
}

bool TlsChannel::IsProved() {
  if (!is_proved_ && SSL_is_init_finished(ssl_) != 0) is_proved_ = SSL_session_reused(ssl_) == 1;
  return is_proved_;
}

Channel::Result TlsChannel::ResultOf(int returned, int own_direction) {
  const int what = SSL_get_error(ssl_, returned);
  switch (what) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return {what == own_direction ? State::kBlocked : State::kCrossed};
    case SSL_ERROR_ZERO_RETURN:
      return {State::kEnded};
    case SSL_ERROR_SYSCALL:
      if (errno == EAGAIN || errno == EINTR) return {State::kBlocked};
      fault_ = Why(errno == 0 ? "the connection was cut" : strerror(errno));
      return {State::kFailed};
    default:
      fault_ = Why("TLS failed");
      return {State::kFailed};
  }
}

Channel::Result TlsChannel::Read(std::span<std::byte> first, std::span<std::byte> second) {
  const std::span<std::byte> into = first.empty() ? second : first;
  ERR_clear_error();
  size_t bytes = 0;
  const int returned = SSL_read_ex(ssl_, into.data(), into.size(), &bytes);
  if (returned != 1) return ResultOf(returned, SSL_ERROR_WANT_READ);
  if (IsProved()) return {State::kMoved, bytes};
  fault_ = "TLS: the peer did not use the key";
  return {State::kFailed};
}

Channel::Result TlsChannel::Write(std::span<const iovec> parts) {
  // Until the peer has shown the key, no byte is for it.
  ERR_clear_error();
  if (!IsProved()) {
    const int returned = SSL_do_handshake(ssl_);
    if (returned != 1) return ResultOf(returned, SSL_ERROR_WANT_WRITE);
    if (!IsProved()) {
      fault_ = "TLS: the peer did not use the key";
      return {State::kFailed};
    }
  }
  std::span<const std::byte> bytes(static_cast<const std::byte*>(parts[0].iov_base),
                                   parts[0].iov_len);
  // Each record costs: short parts, such as a head and its message, make one.
  if (parts.size() > 1 && bytes.size() < kRecordBytesMax) {
    record_.clear();
    for (const iovec& part : parts) {
      const size_t room = kRecordBytesMax - record_.size();
      const auto* const from = static_cast<const std::byte*>(part.iov_base);
      record_.insert(record_.end(), from, from + std::min(room, part.iov_len));
      if (record_.size() == kRecordBytesMax) break;
    }
    bytes = record_;
  }
  size_t written = 0;
  const int returned = SSL_write_ex(ssl_, bytes.data(), bytes.size(), &written);
  if (returned != 1) return ResultOf(returned, SSL_ERROR_WANT_WRITE);
  return {State::kMoved, written};
}

std::string TlsChannel::Name() const {
#ifdef SSL_OP_ENABLE_KTLS
  if (BIO_get_ktls_send(SSL_get_wbio(ssl_)) != 0) return "ktls";
#endif
  return "tls";
}

}  // namespace stream
