#include "server/volume_leases.h"

#include <gtest/gtest.h>

#include <cstring>

namespace server {
namespace {

using protocol::Verdict;

constexpr uint32_t kVolume = 7;
constexpr uint64_t kEpoch = 5;
constexpr uint64_t kFar = 1'000'000;

/// A volume in which each 16 bytes of index name one id.
struct Volume {
  uint64_t epoch = kEpoch;
  uint64_t position = 160;
  Verdict refusal = Verdict::changed;
  size_t validations = 0;

  engine::ValidateResult operator()(const protocol::ValidateItem& item) {
    ++validations;
    engine::ValidateResult result{};
    result.row.volume_id = item.volume_id;
    result.row.verdict = static_cast<uint16_t>(refusal);
    if (refusal != Verdict::changed) return result;
    result.row.epoch = epoch;
    result.row.position = position;
    if (item.epoch != epoch || item.position > position) {
      result.row.verdict = static_cast<uint16_t>(Verdict::flush);
      return result;
    }
    for (uint64_t at = item.position; at < position; at += 16) result.ids.push_back(at / 16);
    return result;
  }
};

protocol::ValidateItem ItemOf(uint64_t position, uint32_t volume_id = kVolume,
                              uint64_t epoch = kEpoch) {
  return {.epoch = epoch, .position = position, .volume_id = volume_id, .reserved = 0};
}

std::vector<uint64_t> IdsOf(const VolumeChange& change) {
  std::vector<uint64_t> ids(change.header.id_count);
  EXPECT_EQ(change.ids->size(), ids.size() * sizeof(uint64_t));
  if (!ids.empty()) std::memcpy(ids.data(), change.ids->data(), change.ids->size());
  return ids;
}

class VolumeLeasesTest : public testing::Test {
 protected:
  bool Grant(uint64_t session_id, const protocol::ValidateItem& item, uint64_t until_ns = kFar) {
    return leases_.Grant(session_id, item, volume_(item).row, until_ns);
  }

  std::vector<VolumeChange> Look(uint64_t now_ns = 1) {
    volume_.validations = 0;
    std::vector<VolumeChange> changes;
    leases_.Look(
        now_ns, [this](const protocol::ValidateItem& item) { return volume_(item); }, changes);
    return changes;
  }

  Volume volume_;
  VolumeLeases leases_;
};

TEST_F(VolumeLeasesTest, TellsEachChangeOnceAndWithoutAGap) {
  ASSERT_TRUE(Grant(1, ItemOf(160)));
  EXPECT_TRUE(Look().empty());
  uint64_t from = 160;
  for (int round = 0; round < 3; ++round) {
    volume_.position += 32;
    const auto changes = Look();
    ASSERT_EQ(changes.size(), 1u);
    EXPECT_EQ(changes[0].session_id, 1u);
    EXPECT_EQ(changes[0].header.volume_id, kVolume);
    EXPECT_EQ(changes[0].header.epoch, kEpoch);
    EXPECT_EQ(changes[0].header.from, from);
    EXPECT_EQ(changes[0].header.to, volume_.position);
    EXPECT_EQ(changes[0].header.verdict, static_cast<uint16_t>(Verdict::changed));
    EXPECT_EQ(IdsOf(changes[0]), (std::vector<uint64_t>{from / 16, from / 16 + 1}));
    from = volume_.position;
    leases_.OnSent(1, kVolume);
    EXPECT_TRUE(Look().empty());
  }
}

// The answer to a renewal may come too late to be taken: what it told is told again.
TEST_F(VolumeLeasesTest, TellsFromWhereTheProxySaidItWas) {
  ASSERT_TRUE(Grant(1, ItemOf(128)));
  auto changes = Look();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].header.from, 128u);
  leases_.OnSent(1, kVolume);
  volume_.position = 192;
  ASSERT_TRUE(Grant(1, ItemOf(160)));
  ASSERT_TRUE(Grant(1, ItemOf(144)));  // overtaken by the one before
  changes = Look();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].header.from, 160u);
  EXPECT_EQ(IdsOf(changes[0]), (std::vector<uint64_t>{10, 11}));
}

TEST_F(VolumeLeasesTest, HaveOneChangeOnItsWayToASession) {
  ASSERT_TRUE(Grant(1, ItemOf(160)));
  volume_.position = 176;
  EXPECT_EQ(Look().size(), 1u);
  volume_.position = 192;
  EXPECT_TRUE(Look().empty());
  EXPECT_EQ(volume_.validations, 0u);
  leases_.OnSent(1, kVolume);
  const auto changes = Look();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(IdsOf(changes[0]), std::vector<uint64_t>{11});
}

TEST_F(VolumeLeasesTest, AskTheEngineOnceForAllWhoKnowTheSame) {
  for (uint64_t session = 1; session <= 50; ++session) {
    ASSERT_TRUE(Grant(session, ItemOf(session <= 49 ? 160 : 144)));
  }
  EXPECT_EQ(Look().size(), 1u);
  EXPECT_EQ(volume_.validations, 2u);
  leases_.OnSent(50, kVolume);
  volume_.position = 176;
  EXPECT_EQ(Look().size(), 50u);
  EXPECT_EQ(volume_.validations, 1u);
}

TEST_F(VolumeLeasesTest, EndWithAFlushWhenTheGenerationEnds) {
  ASSERT_TRUE(Grant(1, ItemOf(160)));
  volume_.epoch = 6;
  volume_.position = 64;
  // The proxy may never take the answer: the lease that it believes in is ended first.
  EXPECT_FALSE(Grant(1, ItemOf(160)));
  const auto changes = Look();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].header.verdict, static_cast<uint16_t>(Verdict::flush));
  EXPECT_EQ(changes[0].header.epoch, 6u);
  EXPECT_EQ(changes[0].header.id_count, 0u);
  EXPECT_FALSE(Grant(1, ItemOf(160)));
  leases_.OnSent(1, kVolume);
  EXPECT_TRUE(leases_.empty());
  EXPECT_TRUE(Look().empty());

  ASSERT_TRUE(Grant(1, ItemOf(160)));
  EXPECT_TRUE(Look().empty());
  volume_.position = 80;
  const auto after = Look();
  ASSERT_EQ(after.size(), 1u);
  EXPECT_EQ(after[0].header.from, 64u);
  EXPECT_EQ(IdsOf(after[0]), std::vector<uint64_t>{4});
}

TEST_F(VolumeLeasesTest, EndWithAVolumeThatIsNotServedAnyMore) {
  for (const Verdict verdict : {Verdict::gone, Verdict::unconfirmed}) {
    volume_.refusal = Verdict::changed;
    ASSERT_TRUE(Grant(1, ItemOf(160)));
    volume_.refusal = verdict;
    const auto changes = Look();
    ASSERT_EQ(changes.size(), 1u);
    EXPECT_EQ(changes[0].header.verdict, static_cast<uint16_t>(verdict));
    leases_.OnSent(1, kVolume);
    EXPECT_TRUE(leases_.empty());
    EXPECT_FALSE(Grant(1, ItemOf(160)));
    EXPECT_TRUE(leases_.empty());
  }
}

TEST_F(VolumeLeasesTest, FlushMoreIdsThanAMessageHolds) {
  ASSERT_TRUE(Grant(1, ItemOf(160)));
  volume_.position += 16 * (uint64_t{protocol::kChangedIdsMax} + 1);
  const auto changes = Look();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].header.verdict, static_cast<uint16_t>(Verdict::flush));
  EXPECT_TRUE(changes[0].ids->empty());
  leases_.OnSent(1, kVolume);
  EXPECT_TRUE(leases_.empty());
}

TEST_F(VolumeLeasesTest, EndByTheClockUnlessRenewed) {
  ASSERT_TRUE(Grant(1, ItemOf(160), 100));
  ASSERT_TRUE(Grant(2, ItemOf(160), 100));
  ASSERT_TRUE(Grant(2, ItemOf(160), 200));
  ASSERT_TRUE(Grant(2, ItemOf(160), 50));  // never ends earlier than the proxy was told
  volume_.position = 176;
  const auto changes = Look(101);
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].session_id, 2u);
  EXPECT_EQ(leases_.count(), 1u);
  EXPECT_TRUE(Look(201).empty());
  EXPECT_EQ(leases_.count(), 1u);  // its last change is on its way
  leases_.OnSent(2, kVolume);
  EXPECT_TRUE(Look(201).empty());
  EXPECT_TRUE(leases_.empty());
}

TEST_F(VolumeLeasesTest, EndWithTheirSession) {
  for (uint32_t volume = 0; volume < 10; ++volume) {
    ASSERT_TRUE(Grant(1, ItemOf(160, volume)));
    if (volume % 2 == 0) {
      ASSERT_TRUE(Grant(2, ItemOf(160, volume)));
    }
  }
  volume_.position = 176;
  EXPECT_EQ(Look().size(), 15u);
  leases_.EndSession(1);
  EXPECT_EQ(leases_.count(), 5u);
  leases_.OnSent(1, 0);  // completes later, by force
  leases_.EndSession(1);
  leases_.EndSession(99);
  EXPECT_EQ(leases_.count(), 5u);
  leases_.EndSession(2);
  EXPECT_TRUE(leases_.empty());
}

TEST_F(VolumeLeasesTest, AreBoundedForEachSession) {
  for (uint32_t volume = 0; volume < kVolumeLeasesMax; ++volume) {
    ASSERT_TRUE(Grant(1, ItemOf(160, volume)));
  }
  EXPECT_FALSE(Grant(1, ItemOf(160, 5000)));
  EXPECT_TRUE(Grant(1, ItemOf(160, 17)));
  EXPECT_TRUE(Grant(2, ItemOf(160, 5000)));
  EXPECT_EQ(leases_.count(), kVolumeLeasesMax + 1);
  leases_.EndSession(1);
  EXPECT_EQ(leases_.count(), 1u);
}

TEST_F(VolumeLeasesTest, AreLookedAtInTurnsWhenThereAreMany) {
  constexpr uint32_t kVolumes = 3 * kLooksMax;
  for (uint32_t volume = 0; volume < kVolumes; ++volume) {
    ASSERT_TRUE(Grant(volume, ItemOf(160, volume)));
  }
  volume_.position = 176;
  std::vector<uint32_t> told;
  for (int round = 0; round < 3; ++round) {
    for (const VolumeChange& change : Look()) told.push_back(change.header.volume_id);
    EXPECT_EQ(volume_.validations, kLooksMax);
  }
  ASSERT_EQ(told.size(), kVolumes);
  for (uint32_t volume = 0; volume < kVolumes; ++volume) EXPECT_EQ(told[volume], volume);
}

TEST_F(VolumeLeasesTest, KeepASlowSessionsChangesBack) {
  for (uint32_t volume = 0; volume < 2 * kChangesInFlightMax; ++volume) {
    ASSERT_TRUE(Grant(1, ItemOf(160, volume)));
  }
  volume_.position = 176;
  EXPECT_EQ(Look().size(), kChangesInFlightMax);
  EXPECT_TRUE(Look().empty());
  for (uint32_t volume = 0; volume < 3; ++volume) leases_.OnSent(1, volume);
  EXPECT_EQ(Look().size(), 3u);
}

}  // namespace
}  // namespace server
