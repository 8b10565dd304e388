#include "client/raw_target_test.h"

// Tells which CHALLENGE of a target the client believes.
namespace client_test {
namespace {

using client::TargetEvent;
using protocol::Status;

class Handshake : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Transports, Handshake, testing::Values(kTcp, kShm),
                         [](const auto& info) { return info.param == kTcp ? "tcp" : "shm"; });

/// An attacker on the way takes a feature out of CHALLENGE.
TEST_P(Handshake, DisbelievesFeaturesThatTheProofDoesNotCover) {
  RawTarget raw(GetParam(), 0);
  raw.proved_features = protocol::kLeases;
  raw.Add();
  const auto down = raw.AwaitEvent(TargetEvent::Kind::kDown);
  ASSERT_TRUE(down);
  EXPECT_EQ(down->status, Status::unauthorized);
}

TEST_P(Handshake, BelievesAnOlderTargetWhoseProofCoversNoFeatures) {
  RawTarget raw(GetParam(), 0);
  raw.version = 1;
  raw.proved_features = protocol::kLeases;
  raw.Up();
}

TEST_P(Handshake, EndsASessionWhoseChallengeIsMalformed) {
  struct Row {
    uint16_t version;
    size_t list_bytes;
  };
  const Row rows[] = {{protocol::kVersionMax + 1, 0},
                      {0, 0},
                      {1, protocol::kMacBytes},
                      {2, protocol::kMacBytes - 1},
                      {2, protocol::kMacBytes * protocol::kSecretsMax}};
  for (const Row& row : rows) {
    RawTarget raw(GetParam(), protocol::kLeases);
    raw.version = row.version;
    raw.challenge_list.resize(row.list_bytes);
    raw.Add();
    const auto down = raw.AwaitEvent(TargetEvent::Kind::kDown);
    ASSERT_TRUE(down);
    EXPECT_EQ(down->status, Status::protocol_error) << row.version << ' ' << row.list_bytes;
  }
}

}  // namespace
}  // namespace client_test
