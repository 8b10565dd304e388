#include "engine/memory_turns.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <thread>

#include "engine/engine_fixture_test.h"

namespace engine {
namespace {

using protocol::Status;

constexpr uint64_t kLargeBytes = 8 << 20;
constexpr uint64_t kLarge = 1;  // needle ids
constexpr uint64_t kSmall = 2;

TEST(MayTake, LeavesAsMuchFreeAsASessionHolds) {
  const memory::ArenaStats half{.bytes_total = 1024,
                                .bytes_leased = 480,
                                .leases_outstanding = 1,
                                .refusals = 0,
                                .refused_bytes = 0};
  EXPECT_TRUE(MayTake(half, 300, 90));  // 390 are held then, 390 are free beside the reserve of 64
  EXPECT_FALSE(MayTake(half, 301, 90));
  EXPECT_TRUE(MayTake(half, 0, 480));
  EXPECT_FALSE(MayTake(half, 0, 481));
  memory::ArenaStats empty = half;
  empty.bytes_leased = 0;
  EXPECT_TRUE(MayTake(empty, 0, 1024));
}

/// Answers whose memory is held, as while they are being sent.
class MemoryTurnsTest : public EngineTest {
 protected:
  ~MemoryTurnsTest() override {
    held_.clear();
    engine_.reset();
    for (const uint32_t share : shares_) arena_->CloseShare(share);
  }

  void OnRead(uint64_t token, ReadResult&& result) override {
    const auto status = static_cast<Status>(result.header.status);
    answers_.emplace_back(token, status);
    if (status == Status::ok) held_.emplace(token, std::move(result.lease));
  }

  void StartLoaded(uint64_t memory_wait_ns) {
    const auto writer = Write({.volume_id = 3});
    ASSERT_TRUE(
        writer->Append({.needle_id = kLarge, .cookie = 9, .data = AsBytes(Pattern(kLargeBytes))}));
    ASSERT_TRUE(writer->Append({.needle_id = kSmall, .cookie = 9, .data = AsBytes(Pattern(4096))}));
    Start({.memory_wait_ns = memory_wait_ns});
    for (uint32_t& share : shares_) share = arena_->OpenShare();
    ASSERT_TRUE(PollUntil([&] {
      Post(0, kSmall, shares_[0]);
      return answers_.back().second == Status::ok;
    }));
    answers_.clear();
    held_.clear();
  }

  void Post(uint64_t token, uint64_t needle_id, uint32_t share) {
    ReadCommand command = Command(3, needle_id, 9);
    command.share = share;
    engine_->Read(token, command);
  }

  /// Lets the engine work until nothing is in flight but what waits for memory.
  void Settle() {
    ASSERT_TRUE(PollUntil([&] {
      (void)engine_->GoOn(protocol::NowNs());
      const EngineStats stats = engine_->stats();
      return stats.reads_in_flight == stats.reads_waiting;
    }));
  }

  std::vector<uint64_t> Answered(Status status) {
    std::vector<uint64_t> tokens;
    for (const auto& [token, answered] : answers_) {
      if (answered == status) tokens.push_back(token);
    }
    answers_.clear();
    return tokens;
  }

  using Tokens = std::vector<uint64_t>;
  std::array<uint32_t, 3> shares_{};
  std::vector<std::pair<uint64_t, Status>> answers_;
  std::map<uint64_t, memory::Lease> held_;
};

TEST_F(MemoryTurnsTest, ASessionThatTakesNoAnswersLeavesMemoryToOthers) {
  StartLoaded(10 * kNsPerSecond);
  for (uint64_t i = 0; i < 8; ++i) Post(100 + i, kLarge, shares_[0]);
  Settle();
  const size_t held = Answered(Status::ok).size();
  EXPECT_GE(held, 2u);
  EXPECT_LE(held, 4u);  // of the seven that fit into the arena
  Post(200, kLarge, shares_[1]);
  Post(300, kLarge, shares_[2]);
  Post(301, kSmall, shares_[2]);
  Settle();
  Tokens answered = Answered(Status::ok);
  EXPECT_EQ(answered.front(), 301u);
  std::ranges::sort(answered);  // two threads read the large ones
  EXPECT_EQ(answered, (Tokens{200, 300, 301}));
}

TEST_F(MemoryTurnsTest, MemoryThatComesHomeGoesToSessionsByTurns) {
  StartLoaded(10 * kNsPerSecond);
  for (uint64_t i = 0; i < 6; ++i) Post(100 + i, kLarge, shares_[0]);
  for (uint64_t i = 0; i < 6; ++i) Post(200 + i, kLarge, shares_[1]);
  Settle();
  Tokens order = Answered(Status::ok);
  while (!held_.empty()) {
    held_.erase(held_.begin());
    Settle();
    std::ranges::copy(Answered(Status::ok), std::back_inserter(order));
  }
  EXPECT_EQ(order.size(), 12u);
  // Each session has at least three of the first eight.
  const auto first = std::span(order).first(8);
  const auto second_session =
      std::ranges::count_if(first, [](uint64_t token) { return token >= 200; });
  EXPECT_GE(second_session, 3);
  EXPECT_LE(second_session, 5);
}

TEST_F(MemoryTurnsTest, AReadThatWaitsForTooLongIsRefused) {
  constexpr uint64_t kWaitNs = 2 * kNsPerSecond;
  StartLoaded(kWaitNs);
  for (uint64_t i = 0; i < 8; ++i) Post(100 + i, kLarge, shares_[0]);
  Settle();
  EXPECT_GT(engine_->stats().reads_waiting, 3u);
  ASSERT_TRUE(PollUntil([&] {
    (void)engine_->GoOn(protocol::NowNs() + kWaitNs);
    return engine_->stats().reads_waiting == 0;
  }));
  EXPECT_EQ(Answered(Status::no_slab).size() + held_.size(), 8u);
}

TEST_F(MemoryTurnsTest, AllThatAreLateAreRefusedAtOnceThoughOthersAreNot) {
  constexpr uint64_t kWaitNs = 2'000'000'000;
  StartLoaded(kWaitNs);
  for (uint64_t i = 0; i < 4; ++i) Post(100 + i, kLarge, shares_[0]);
  Settle();
  for (uint64_t i = 0; i < 20; ++i) Post(200 + i, kLarge, shares_[0]);
  Settle();
  const uint64_t late_ns = protocol::NowNs() + kWaitNs;
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  for (uint64_t i = 0; i < 4; ++i) Post(300 + i, kLarge, shares_[1]);
  Settle();
  answers_.clear();
  EXPECT_GE(engine_->stats().reads_waiting, 20u);
  (void)engine_->GoOn(late_ns);
  EXPECT_GE(Answered(Status::no_slab).size(), 15u);
}

/// It would wait for nothing, and keep the large reads of all sessions waiting behind it.
TEST_F(MemoryTurnsTest, AReadThatNoArenaOfThisSizeHoldsIsRefusedAtOnce) {
  const auto writer = Write({.volume_id = 4});
  ASSERT_TRUE(
      writer->Append({.needle_id = kLarge, .cookie = 9, .data = AsBytes(Pattern(80 << 20))}));
  StartLoaded(10 * kNsPerSecond);
  ReadCommand command = Command(4, kLarge, 9);
  command.share = shares_[0];
  command.whole_bytes_max = command.budget_bytes = 1 << 30;
  ASSERT_TRUE(PollUntil([&] {
    answers_.clear();
    command.deadline_ns = protocol::NowNs() + 10 * kNsPerSecond;
    engine_->Read(100, command);
    Settle();
    const Status status = answers_.back().second;
    return status != Status::unknown_volume && status != Status::volume_unconfirmed;
  }));
  EXPECT_EQ(answers_.back().second, Status::no_slab);
  EXPECT_EQ(engine_->stats().reads_waiting, 0u);
}

TEST_F(MemoryTurnsTest, WithoutATimeToWaitAReadIsRefusedAtOnce) {
  StartLoaded(0);
  for (uint64_t i = 0; i < 8; ++i) Post(100 + i, kLarge, shares_[0]);
  EXPECT_GT(Answered(Status::no_slab).size(), 3u);
  Settle();
}

TEST_F(MemoryTurnsTest, ShortReadsFindMemoryWhereLargeOnesHaveTakenAllThatTheyMay) {
  StartLoaded(10 * kNsPerSecond);
  for (const uint32_t share : shares_) {
    for (uint64_t i = 0; i < 8; ++i) Post(100 + i + 100 * share, kLarge, share);
  }
  Settle();
  answers_.clear();
  for (uint64_t i = 0; i < 256; ++i) Post(1000 + i, kSmall, shares_[i % 3]);
  EXPECT_EQ(Answered(Status::ok).size(), 256u);
}

}  // namespace
}  // namespace engine
