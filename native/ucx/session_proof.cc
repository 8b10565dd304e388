#include "ucx/session_proof.h"

#include <sodium.h>

#include <algorithm>
#include <concepts>
#include <cstring>

namespace ucx {
namespace {

void Update(crypto_auth_hmacsha256_state& state, std::span<const uint8_t> bytes) {
  crypto_auth_hmacsha256_update(&state, bytes.data(), bytes.size());
}

/// Little-endian, as on the wire.
template <std::unsigned_integral Number>
void Update(crypto_auth_hmacsha256_state& state, Number number) {
  std::array<uint8_t, sizeof(Number)> bytes;
  std::memcpy(bytes.data(), &number, sizeof(Number));
  Update(state, std::span<const uint8_t>(bytes));
}

std::span<const uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

bool MakeNonce(Nonce& nonce) {
  if (sodium_init() < 0) return false;
  randombytes_buf(nonce.data(), nonce.size());
  return true;
}

Mac MakeProof(Prover prover, std::string_view secret, const HandshakeFacts& facts) {
  crypto_auth_hmacsha256_state state;
  crypto_auth_hmacsha256_init(&state, Bytes(secret).data(), secret.size());
  Update(state, Bytes(prover == Prover::kTarget ? "target" : "proxy"));
  Update(state, facts.client_nonce);
  Update(state, facts.server_nonce);
  Update(state, facts.version_min);
  Update(state, facts.version_max);
  Update(state, facts.version);
  if (facts.version >= 2) {
    Update(state, facts.features_offered);
    Update(state, facts.features_agreed);
  }
  Mac mac;
  crypto_auth_hmacsha256_final(&state, mac.data());
  return mac;
}

bool IsProof(std::span<const uint8_t, protocol::kMacBytes> mac, Prover prover,
             std::string_view secret, const HandshakeFacts& facts) {
  const Mac expected = MakeProof(prover, secret, facts);
  return sodium_memcmp(expected.data(), mac.data(), expected.size()) == 0;
}

const std::string* ProvedSecret(std::span<const uint8_t, protocol::kMacBytes> mac, Prover prover,
                                const Secrets& secrets, const HandshakeFacts& facts) {
  const auto found = std::ranges::find_if(
      secrets, [&](const std::string& secret) { return IsProof(mac, prover, secret, facts); });
  return found == secrets.end() ? nullptr : &*found;
}

}  // namespace ucx
