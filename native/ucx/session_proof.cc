#include "ucx/session_proof.h"

#include <sodium.h>

namespace ucx {
namespace {

void Update(crypto_auth_hmacsha256_state& state, std::span<const uint8_t> bytes) {
  crypto_auth_hmacsha256_update(&state, bytes.data(), bytes.size());
}

void Update(crypto_auth_hmacsha256_state& state, uint16_t number) {
  const std::array<uint8_t, 2> bytes{static_cast<uint8_t>(number & 0xff),
                                     static_cast<uint8_t>(number >> 8)};
  Update(state, bytes);
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
  Mac mac;
  crypto_auth_hmacsha256_final(&state, mac.data());
  return mac;
}

bool IsProof(std::span<const uint8_t, protocol::kMacBytes> mac, Prover prover,
             std::string_view secret, const HandshakeFacts& facts) {
  const Mac expected = MakeProof(prover, secret, facts);
  return sodium_memcmp(expected.data(), mac.data(), expected.size()) == 0;
}

}  // namespace ucx
