#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "protocol/wire.h"

// The handshake's proofs: each side shows that it knows the shared secret without sending it.
namespace ucx {

using Nonce = std::array<uint8_t, protocol::kNonceBytes>;
using Mac = std::array<uint8_t, protocol::kMacBytes>;

/// The facts that both proofs cover; the versions are among them so that an attacker cannot talk
/// the two sides into an older one.
struct HandshakeFacts {
  Nonce client_nonce;
  Nonce server_nonce;
  uint16_t version_min;
  uint16_t version_max;
  uint16_t version;
};

enum class Prover { kTarget, kProxy };

/// From the system's generator; false when libsodium cannot start.
[[nodiscard]] bool MakeNonce(Nonce& nonce);

/// HMAC-SHA256 as wire.h says; a secret of any length.
[[nodiscard]] Mac MakeProof(Prover prover, std::string_view secret, const HandshakeFacts& facts);

/// In constant time.
[[nodiscard]] bool IsProof(std::span<const uint8_t, protocol::kMacBytes> mac, Prover prover,
                           std::string_view secret, const HandshakeFacts& facts);

}  // namespace ucx
