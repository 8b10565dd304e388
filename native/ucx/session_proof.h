#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/wire.h"

// The handshake's proofs: each side shows that it knows the shared secret without sending it.
namespace ucx {

using Nonce = std::array<uint8_t, protocol::kNonceBytes>;
using Mac = std::array<uint8_t, protocol::kMacBytes>;

/// One, or two while they are being changed; an empty one is none. Never an empty list.
using Secrets = std::vector<std::string>;
using SharedSecrets = std::shared_ptr<const Secrets>;

/// The facts that both proofs cover: an attacker cannot talk the two sides into an older version,
/// nor, from version 2 on, out of a feature.
struct HandshakeFacts {
  Nonce client_nonce;
  Nonce server_nonce;
  uint16_t version_min;
  uint16_t version_max;
  uint16_t version;
  uint64_t features_offered;
  uint64_t features_agreed;
};

enum class Prover { kTarget, kProxy };

/// From the system's generator; false when libsodium cannot start.
[[nodiscard]] bool MakeNonce(Nonce& nonce);

/// HMAC-SHA256 as wire.h says; a secret of any length.
[[nodiscard]] Mac MakeProof(Prover prover, std::string_view secret, const HandshakeFacts& facts);

/// In constant time.
[[nodiscard]] bool IsProof(std::span<const uint8_t, protocol::kMacBytes> mac, Prover prover,
                           std::string_view secret, const HandshakeFacts& facts);

/// The first of `secrets` with which the other side proved itself; nullptr: none.
[[nodiscard]] const std::string* ProvedSecret(std::span<const uint8_t, protocol::kMacBytes> mac,
                                              Prover prover, const Secrets& secrets,
                                              const HandshakeFacts& facts);

}  // namespace ucx
