#include "ucx/session_proof.h"

#include <gtest/gtest.h>

#include <string>

namespace ucx {
namespace {

HandshakeFacts Facts() {
  HandshakeFacts facts{};
  EXPECT_TRUE(MakeNonce(facts.client_nonce));
  EXPECT_TRUE(MakeNonce(facts.server_nonce));
  facts.version_min = facts.version_max = facts.version = 1;
  return facts;
}

TEST(SessionProof, HoldsForTheSameSecretOfAnyLength) {
  const HandshakeFacts facts = Facts();
  for (const size_t bytes : {0, 1, 31, 32, 64, 65, 4096}) {
    const std::string secret(bytes, 's');
    const Mac mac = MakeProof(Prover::kProxy, secret, facts);
    EXPECT_TRUE(IsProof(mac, Prover::kProxy, secret, facts));
    EXPECT_FALSE(IsProof(mac, Prover::kProxy, secret + "x", facts));
  }
}

TEST(SessionProof, IsNotTheOtherSides) {
  const HandshakeFacts facts = Facts();
  EXPECT_FALSE(IsProof(MakeProof(Prover::kTarget, "s", facts), Prover::kProxy, "s", facts));
}

TEST(SessionProof, CoversFeaturesFromVersion2On) {
  HandshakeFacts facts = Facts();
  for (const uint16_t version : {uint16_t{1}, uint16_t{2}}) {
    facts.version = version;
    const Mac mac = MakeProof(Prover::kTarget, "s", facts);
    HandshakeFacts other = facts;
    other.features_offered ^= 1;
    EXPECT_EQ(IsProof(mac, Prover::kTarget, "s", other), version == 1);
    other = facts;
    other.features_agreed ^= uint64_t{1} << 63;
    EXPECT_EQ(IsProof(mac, Prover::kTarget, "s", other), version == 1);
  }
}

TEST(SessionProof, IsFoundAmongTwoSecrets) {
  const HandshakeFacts facts = Facts();
  const Secrets secrets = {"a", "b"};
  EXPECT_EQ(ProvedSecret(MakeProof(Prover::kProxy, "b", facts), Prover::kProxy, secrets, facts),
            &secrets[1]);
  EXPECT_EQ(ProvedSecret(MakeProof(Prover::kProxy, "c", facts), Prover::kProxy, secrets, facts),
            nullptr);
}

TEST(SessionProof, CoversNoncesAndVersions) {
  const HandshakeFacts facts = Facts();
  const Mac mac = MakeProof(Prover::kTarget, "s", facts);
  HandshakeFacts other = facts;
  other.client_nonce[31] ^= 1;
  EXPECT_FALSE(IsProof(mac, Prover::kTarget, "s", other));
  other = facts;
  other.server_nonce[0] ^= 1;
  EXPECT_FALSE(IsProof(mac, Prover::kTarget, "s", other));
  other = facts;
  other.version_max = 2;
  EXPECT_FALSE(IsProof(mac, Prover::kTarget, "s", other));
}

// RFC 4231 gives no vector of this message; computed with another implementation (Python's hmac).
TEST(SessionProof, IsHmacSha256OfTheSpecifiedBytes) {
  HandshakeFacts facts{};
  facts.client_nonce.fill(0xaa);
  facts.server_nonce.fill(0xbb);
  facts.version_min = 1;
  facts.version_max = 0x0203;
  facts.version = 1;
  const Mac mac = MakeProof(Prover::kTarget, "key", facts);
  static constexpr Mac kExpected = {0xac, 0x5e, 0x65, 0x24, 0x29, 0x0a, 0xd9, 0x61,
                                    0xcf, 0x81, 0xe4, 0xa5, 0x35, 0xfd, 0xbb, 0x2d,
                                    0xcb, 0xf4, 0x83, 0xdd, 0xa7, 0x5b, 0xa2, 0x69,
                                    0xd1, 0xae, 0xd6, 0x0c, 0xae, 0xca, 0x29, 0x44};
  EXPECT_EQ(mac, kExpected);
}

}  // namespace
}  // namespace ucx
