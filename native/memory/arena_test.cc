#include "memory/arena.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "memory/shares.h"

namespace memory {
namespace {

constexpr uint64_t kMiB = 1 << 20;

std::unique_ptr<Arena> Make(uint64_t bytes, Hugepages hugepages = Hugepages::kTry) {
  std::string error;
  auto arena = Arena::Create({.bytes = bytes, .hugepages = hugepages}, error);
  EXPECT_TRUE(arena) << error;
  return arena;
}

TEST(Arena, RoundsItsSizeUpToHugepages) {
  const auto arena = Make(kMiB);
  EXPECT_EQ(arena->span().size(), 2 * kMiB);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(arena->span().data()) % (2 * kMiB), 0u);
}

TEST(Arena, WithoutHugepagesSaysNormal) {
  EXPECT_EQ(Make(4 * kMiB, Hugepages::kOff)->page_kind(), PageKind::kNormal);
}

TEST(Arena, RequiredHugepagesAreGivenOrTheErrorSaysHowToReserveThem) {
  std::string error;
  const auto arena = Arena::Create({.bytes = 2 * kMiB, .hugepages = Hugepages::kRequire}, error);
  if (arena) {
    EXPECT_EQ(arena->page_kind(), PageKind::kHugetlb);
  } else {
    EXPECT_NE(error.find("vm.nr_hugepages=1"), std::string::npos) << error;
  }
}

TEST(Arena, RefusesASizeThatCannotBe) {
  std::string error;
  EXPECT_FALSE(Arena::Create({.bytes = 0}, error));
  EXPECT_FALSE(error.empty());
}

TEST(Arena, SixtyFourNeedlesOfFourMebibytesWithMetadataFitIntoHalfAGibibyte) {
  const auto arena = Make(512 * kMiB);
  std::vector<Lease> leases;
  for (int i = 0; i < 64; i++) {
    leases.push_back(arena->Allocate(4 * kMiB + 66 * 1024));
    ASSERT_TRUE(leases.back());
  }
  EXPECT_LT(arena->stats().bytes_leased, 64 * 4 * kMiB * 105 / 100);
}

TEST(Arena, ALeaseIsAtMostAQuarterLargerThanAskedForAboveItsSmallestClass) {
  const auto arena = Make(256 * kMiB);
  for (uint64_t bytes = 256; bytes < 128 * kMiB; bytes = bytes * 9 / 8 + 1) {
    const Lease lease = arena->Allocate(bytes);
    ASSERT_TRUE(lease) << bytes;
    EXPECT_EQ(lease.bytes().size(), bytes);
    EXPECT_GE(lease.slab_bytes(), bytes);
    EXPECT_LE(lease.slab_bytes() * 4, bytes * 5 + 4) << bytes;
  }
}

TEST(Arena, ExhaustionIsAnEmptyLeaseAndReleaseMakesRoom) {
  const auto arena = Make(2 * kMiB);
  Lease all = arena->Allocate(2 * kMiB);
  ASSERT_TRUE(all);
  EXPECT_FALSE(arena->Allocate(1));
  all.Reset();
  EXPECT_TRUE(arena->Allocate(2 * kMiB));
  EXPECT_FALSE(arena->Allocate(2 * kMiB + 1));
  EXPECT_EQ(arena->stats().refusals, 2u);
  EXPECT_EQ(arena->stats().refused_bytes, 2 * kMiB + 1);
}

TEST(Arena, AnEmptyArenaIsOneRunAgainAfterAnyOrderOfReleases) {
  const auto arena = Make(8 * kMiB);
  std::mt19937 random(7);
  for (int round = 0; round < 20; round++) {
    std::vector<Lease> leases;
    while (Lease lease = arena->Allocate(1 + random() % (200 * 1024))) {
      leases.push_back(std::move(lease));
    }
    std::shuffle(leases.begin(), leases.end(), random);
    leases.clear();
    EXPECT_EQ(arena->stats().bytes_leased, 0u);
    EXPECT_TRUE(arena->Allocate(arena->largest_slab_bytes()));
  }
}

TEST(Arena, LeasesNeverOverlap) {
  const auto arena = Make(16 * kMiB);
  std::mt19937 random(11);
  struct Held {
    Lease lease;
    std::byte mark;
  };
  std::vector<Held> held;
  for (int step = 0; step < 20000; step++) {
    if (held.empty() || random() % 5 < 3) {
      const uint64_t bytes = 1 + (random() % 3 == 0 ? random() % (300 * 1024) : random() % 5000);
      Lease lease = arena->Allocate(bytes);
      if (lease) {
        const auto mark = static_cast<std::byte>(step);
        std::memset(lease.bytes().data(), step, lease.bytes().size());
        held.push_back({std::move(lease), mark});
        continue;
      }
    }
    if (held.empty()) continue;
    const size_t at = random() % held.size();
    const auto bytes = held[at].lease.bytes();
    ASSERT_EQ(bytes.front(), held[at].mark);
    ASSERT_EQ(bytes[bytes.size() / 2], held[at].mark);
    ASSERT_EQ(bytes.back(), held[at].mark);
    std::swap(held[at], held.back());
    held.pop_back();
  }
}

TEST(Lease, TheLastOfSharedReferencesReturnsTheSlab) {
  const auto arena = Make(2 * kMiB);
  Lease first = arena->Allocate(1000);
  Lease second = first.Share();
  EXPECT_EQ(first.bytes().data(), second.bytes().data());
  EXPECT_EQ(arena->stats().leases_outstanding, 1u);
  first.Reset();
  first.Reset();
  EXPECT_EQ(arena->stats().leases_outstanding, 1u);
  second = Lease();
  EXPECT_EQ(arena->stats().leases_outstanding, 0u);
}

TEST(Lease, MovingLeavesAnEmptyLease) {
  const auto arena = Make(2 * kMiB);
  Lease first = arena->Allocate(10);
  const Lease second = std::move(first);
  EXPECT_FALSE(first);
  EXPECT_TRUE(first.bytes().empty());
  EXPECT_TRUE(second);
}

// An I/O thread fills one lease while the owner takes others: TSan and ASan see what they share.
TEST(Lease, TellsItsBytesOnAnotherThreadWhileTheArenaHandsOutMore) {
  const auto arena = Make(2 * kMiB);
  const Lease lease = arena->Allocate(256);
  std::byte* const at = lease.bytes().data();
  std::atomic<bool> is_over = false;
  std::thread filler([&] {
    while (!is_over) ASSERT_EQ(lease.bytes().data(), at);
  });
  std::vector<Lease> more;
  while (Lease next = arena->Allocate(256)) more.push_back(std::move(next));
  is_over = true;
  filler.join();
  EXPECT_GT(more.size(), 4'000u);
}

TEST(Shares, ANumberIsGivenToOneAtATimeThoughMemoryIsTakenForItAfterItsEnd) {
  Shares shares;
  const uint32_t ended = shares.Open();
  shares.Close(ended);
  shares.Add(ended, 10);
  shares.Remove(ended, 10);
  const uint32_t first = shares.Open();
  const uint32_t second = shares.Open();
  EXPECT_NE(first, second);
  shares.Close(first);
  shares.Close(second);
}

TEST(Shares, ANumberIsFreeWhenItsLastByteIsBack) {
  Shares shares;
  const uint32_t ended = shares.Open();
  shares.Add(ended, 10);
  shares.Close(ended);
  EXPECT_NE(shares.Open(), ended);
  shares.Remove(ended, 10);
  EXPECT_EQ(shares.Open(), ended);
}

TEST(ArenaDeathTest, DestroyingAnArenaWithALeaseOutStopsTheProcess) {
  EXPECT_DEATH(
      {
        auto arena = Make(2 * kMiB, Hugepages::kOff);
        Lease lease = arena->Allocate(1);
        arena.reset();
      },
      "check failed");
}

}  // namespace
}  // namespace memory
