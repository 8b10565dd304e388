#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "shelf/shelf.h"

// The volume's two values, generation and grant, and what they make of published entries; a shelf
// that several threads use while its owner drops volumes.
namespace shelf {
namespace {

std::string HeadOfNumber(uint64_t number) {
  return "GET /" + std::to_string(number) + " HTTP/1.1\r\n\r\n";
}

NewEntry EntryOfNumber(uint64_t number, std::shared_ptr<Volume> volume) {
  NewEntry entry;
  entry.heads.request = HeadOfNumber(number);
  entry.volume = std::move(volume);
  return entry;
}

std::string_view TextOf(const Entry& entry) {
  return {reinterpret_cast<const char*>(entry.body().data()), entry.body().size()};
}

/// Random operations on one volume, each checked against a model of a few lines.
class VolumeModel {
 public:
  explicit VolumeModel(uint32_t seed) : random_(seed) {}

  void Step() {
    switch (random_() % 8) {
      case 0:
        granted_until_ = now_ + random_() % 20;
        volume_->Grant(granted_until_);
        break;
      case 1:
        granted_until_ = 0;
        volume_->EndGrant();
        break;
      case 2:
        granted_until_ = 0;
        ++generation_;
        volume_->DropAll();
        break;
      case 3:
      case 4:
        Publish();
        break;
      case 5:
        Withdraw();
        break;
      default:
        now_ += random_() % 7;
    }
  }

  void Check() {
    ASSERT_EQ(volume_->generation(), generation_);
    ASSERT_EQ(volume_->IsGranted(now_), now_ < granted_until_);
    if (granted_until_ > 0) {
      ASSERT_TRUE(volume_->IsGranted(granted_until_ - 1));
      ASSERT_FALSE(volume_->IsGranted(granted_until_));
    }
    for (uint64_t number = 0; number < entries_.size(); ++number) {
      const Modelled& entry = entries_[number];
      const bool is_live = !entry.is_withdrawn && entry.generation == generation_ &&
                           (entry.expires_at == 0 || now_ < entry.expires_at);
      ASSERT_EQ(entry.held->IsLive(now_), is_live) << number;
      ASSERT_EQ(static_cast<bool>(shelf_.Recall(HeadOfNumber(number), now_).entry), is_live)
          << number;
    }
  }

 private:
  struct Modelled {
    uint64_t id;
    uint64_t generation;
    uint64_t expires_at;
    bool is_withdrawn = false;
    Held held{};
  };

  void Publish() {
    const uint64_t number = entries_.size();
    NewEntry entry = EntryOfNumber(number, volume_);
    const uint64_t expires_at = random_() % 2 == 0 ? 0 : now_ + 1 + random_() % 20;
    entry.expires_at_ns = expires_at;
    const uint64_t id = shelf_.Publish(std::move(entry));
    entries_.push_back({.id = id,
                        .generation = generation_,
                        .expires_at = expires_at,
                        .held = shelf_.Recall(HeadOfNumber(number), now_).entry});
    ASSERT_TRUE(entries_.back().held);
  }

  void Withdraw() {
    if (entries_.empty()) return;
    Modelled& entry = entries_[random_() % entries_.size()];
    EXPECT_FALSE(shelf_.Withdraw(entry.id)) << "it is held";
    entry.is_withdrawn = true;
  }

  std::minstd_rand random_;
  uint64_t now_ = 1;
  uint64_t granted_until_ = 0;
  uint64_t generation_ = 0;
  std::shared_ptr<Volume> volume_ = std::make_shared<Volume>(7);
  Shelf shelf_{[] {}};
  std::vector<Modelled> entries_;  // after the shelf: their holds end first
};

TEST(VolumeState, DoesWhatAModelOfItDoes) {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    VolumeModel model(seed);
    for (int step = 0; step < 120; ++step) {
      model.Step();
      model.Check();
      if (testing::Test::HasFatalFailure()) FAIL() << "seed " << seed << ", step " << step;
    }
  }
}

TEST(VolumeState, BeginsWithoutAGrant) {
  const Volume volume(7);
  EXPECT_FALSE(volume.IsGranted(0));
  EXPECT_FALSE(volume.IsGranted(1));
}

TEST(VolumeState, RevivesNothingByALaterGrant) {
  const auto volume = std::make_shared<Volume>(7);
  Shelf shelf([] {});
  volume->Grant(100);
  shelf.Publish(EntryOfNumber(1, volume));
  const Held held = shelf.Recall(HeadOfNumber(1), 1).entry;
  volume->DropAll();
  EXPECT_FALSE(volume->IsGranted(1));
  volume->Grant(100);
  EXPECT_TRUE(volume->IsGranted(1));
  EXPECT_FALSE(held->IsLive(1));
}

/// An owner that publishes one head again and again and drops the volume in between, and readers
/// that look at it meanwhile.
class DroppedBesideReaders : public testing::Test {
 protected:
  static constexpr uint64_t kRounds = 20'000;
  static constexpr uint64_t kLooksMin = 10'000;

  void Own() {
    std::deque<uint64_t> ids;
    for (uint64_t round = 1; round <= kRounds || looks_ < kLooksMin; ++round) {
      // The answer's head is the round's number.
      NewEntry entry = EntryOfNumber(1, volume_);
      entry.heads.answer = std::to_string(round);
      ids.push_back(shelf_.Publish(std::move(entry)));
      EXPECT_NE(ids.back(), 0u);
      granting_.store(round);
      volume_->Grant(UINT64_MAX);
      volume_->DropAll();
      dropped_.store(round);
      // Later, so that nothing but the drop ends an entry while readers look.
      if (ids.size() < 8) continue;
      shelf_.Withdraw(ids.front());
      ids.pop_front();
    }
    is_over_ = true;
  }

  void Read() {
    Held old;
    while (!is_over_) {
      const uint64_t dropped = dropped_.load();
      Held found = shelf_.Recall(HeadOfNumber(1), 1).entry;
      if (found && RoundOf(found) <= dropped) ++late_;
      if (old && old->IsLive(1) && RoundOf(old) <= dropped) ++late_;
      if (found) old = std::move(found);
      if (volume_->IsGranted(1) && granting_.load() <= dropped) ++late_;
      looks_.fetch_add(1);
    }
  }

  static uint64_t RoundOf(const Held& held) {
    return std::strtoull(held->heads().answer.c_str(), nullptr, 10);
  }

  std::shared_ptr<Volume> volume_ = std::make_shared<Volume>(7);
  Shelf shelf_{[] {}};
  std::atomic<uint64_t> dropped_{0};
  /// Stored before the grant.
  std::atomic<uint64_t> granting_{0};
  std::atomic<uint64_t> looks_{0};
  std::atomic<uint64_t> late_{0};
  std::atomic<bool> is_over_{false};
};

TEST_F(DroppedBesideReaders, ShowsNoReaderALiveEntryAfterItsDrop) {
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) readers.emplace_back([this] { Read(); });
  Own();
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(late_, 0u);
}

/// Readers that hold entries and check each byte under the hold, beside an owner that overwrites
/// the memory of a body as soon as it may.
class SharedShelf : public testing::Test {
 protected:
  static constexpr size_t kTargets = 12;
  static constexpr size_t kBodyBytes = 512;
  static constexpr int kSteps = 30'000;
  static constexpr int kStepsMax = 100 * kSteps;
  static constexpr int kHitsMin = 10'000;
  static constexpr char kOverwritten = '\xEE';

  struct Body {
    std::string bytes = std::string(kBodyBytes, kOverwritten);
    size_t volume = 0;
  };

  void Publish(size_t target) {
    if (spare_.empty()) return;
    Body* body = spare_.back();
    spare_.pop_back();
    const char version = static_cast<char>('a' + random_() % 26);
    std::memset(body->bytes.data(), version, kBodyBytes);
    body->volume = target % volumes_.size();
    NewEntry entry = EntryOfNumber(target, volumes_[body->volume]);
    entry.heads.answer = std::string(1, version);
    entry.body = std::as_bytes(std::span(body->bytes));
    const uint64_t id = shelf_.Publish(std::move(entry));
    if (id == 0) {
      Overwrite(body);
    } else {
      published_.emplace(id, body);
    }
  }

  void Withdraw(uint64_t id) {
    Body* body = published_.at(id);
    published_.erase(id);
    if (shelf_.Withdraw(id)) {
      Overwrite(body);
    } else {
      withdrawn_.emplace(id, body);
    }
  }

  void TakeFreed() {
    for (const uint64_t id : shelf_.TakeFreed()) {
      ASSERT_TRUE(withdrawn_.contains(id)) << id << " is named twice, or is still published";
      Overwrite(withdrawn_.at(id));
      withdrawn_.erase(id);
      ++named_;
    }
  }

  void Overwrite(Body* body) {
    std::memset(body->bytes.data(), kOverwritten, kBodyBytes);
    spare_.push_back(body);
  }

  void DropVolume(size_t volume) {
    volumes_[volume]->DropAll();
    std::vector<uint64_t> ids;
    for (const auto& [id, body] : published_) {
      if (body->volume == volume) ids.push_back(id);
    }
    for (const uint64_t id : ids) Withdraw(id);
  }

  void Step() {
    const uint32_t chance = static_cast<uint32_t>(random_() % 100);
    if (chance < 55) {
      Publish(random_() % kTargets);
    } else if (chance < 95) {
      if (published_.empty()) return;
      auto at = published_.begin();
      std::advance(at, random_() % published_.size());
      Withdraw(at->first);
    } else {
      DropVolume(random_() % volumes_.size());
    }
    if (chance % 4 == 0) TakeFreed();
  }

  void ReadUntilTheEnd(uint32_t seed) {
    std::minstd_rand random(seed);
    std::deque<Held> held;
    while (!is_over_) {
      Recalled found = shelf_.Recall(HeadOfNumber(random() % kTargets), 1);
      if (found.entry) {
        held.push_back(std::move(found.entry));
        hits_.fetch_add(1);
      }
      if (held.empty()) continue;
      const Held& one = held[random() % held.size()];
      const std::string_view text = TextOf(*one);
      if (text.find_first_not_of(one->heads().answer[0]) != std::string_view::npos) ++wrong_;
      if (held.size() > random() % 6) held.pop_front();
    }
  }

  std::minstd_rand random_{11};
  std::vector<std::shared_ptr<Volume>> volumes_ = {
      std::make_shared<Volume>(1), std::make_shared<Volume>(2), std::make_shared<Volume>(3)};
  std::deque<Body> bodies_ = std::deque<Body>(64);
  std::vector<Body*> spare_;
  std::map<uint64_t, Body*> published_;
  std::map<uint64_t, Body*> withdrawn_;
  uint64_t named_ = 0;
  std::atomic<uint64_t> told_{0};
  std::atomic<int> hits_{0};
  std::atomic<int> wrong_{0};
  std::atomic<bool> is_over_{false};
  Shelf shelf_{[this] { ++told_; }};
};

TEST_F(SharedShelf, NeverShowsAReaderAnotherByte) {
  for (Body& body : bodies_) spare_.push_back(&body);
  std::vector<std::thread> readers;
  for (uint32_t seed = 1; seed <= 3; ++seed)
    readers.emplace_back([=, this] { ReadUntilTheEnd(seed); });
  for (int steps = 0; steps < kSteps || (hits_ < kHitsMin && steps < kStepsMax); ++steps) Step();
  EXPECT_GE(hits_, kHitsMin);
  is_over_ = true;
  for (std::thread& reader : readers) reader.join();
  TakeFreed();
  EXPECT_EQ(wrong_, 0);
  EXPECT_GT(named_, 0u) << "readers held nothing that was withdrawn";
  EXPECT_EQ(told_, named_);
  EXPECT_TRUE(withdrawn_.empty()) << withdrawn_.size() << " were never named";
  while (!published_.empty()) Withdraw(published_.begin()->first);
  EXPECT_EQ(spare_.size(), bodies_.size()) << "something is still held";
  EXPECT_EQ(shelf_.size(), 0u);
}

}  // namespace
}  // namespace shelf
