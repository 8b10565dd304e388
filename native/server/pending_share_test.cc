#include "server/pending_share.h"

#include <gtest/gtest.h>

#include <vector>

namespace server_test {
namespace {

using server::GivesPlace;
using server::PendingSession;

ucx::PeerEnd Peer(uint8_t host) {
  ucx::PeerEnd peer;
  peer.address[15] = std::byte{host};
  return peer;
}

TEST(PendingShare, TheAddressWithMostGivesItsOldestToAnAddressWithFewer) {
  const std::vector<PendingSession> pending{
      {7, Peer(1)}, {3, Peer(2)}, {5, Peer(2)}, {9, Peer(2)}, {4, Peer(1)}};
  EXPECT_EQ(GivesPlace(pending, Peer(3)), 3u);
  EXPECT_EQ(GivesPlace(pending, Peer(1)), std::nullopt);
  EXPECT_EQ(GivesPlace(pending, Peer(2)), std::nullopt);
}

TEST(PendingShare, NobodyGivesWhereAllHaveOne) {
  EXPECT_EQ(GivesPlace(std::vector<PendingSession>{{1, Peer(1)}, {2, Peer(2)}}, Peer(3)),
            std::nullopt);
}

TEST(PendingShare, PortsOfOneAddressAreOneAddress) {
  ucx::PeerEnd other = Peer(1);
  other.port = 9;
  EXPECT_EQ(GivesPlace(std::vector<PendingSession>{{1, Peer(1)}, {2, other}}, Peer(2)), 1u);
}

}  // namespace
}  // namespace server_test
