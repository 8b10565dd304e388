#include "shelf/shelf.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <string>
#include <vector>

namespace shelf {
namespace {

constexpr uint64_t kNow = 500;
constexpr std::string_view kIdHeader = "X-Amz-Request-Id: ";

std::string HeadOf(std::string_view target, std::string_view method = "GET") {
  return std::string(method) + " /" + std::string(target) + " HTTP/1.1\r\nHost: a:8080\r\n\r\n";
}

std::string_view TextOf(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::byte> BytesOf(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

NewEntry EntryOf(std::string request, std::string_view body, std::shared_ptr<Volume> volume) {
  NewEntry entry;
  entry.heads.request = std::move(request);
  entry.body = BytesOf(body);
  entry.volume = std::move(volume);
  return entry;
}

class ShelfTest : public testing::Test {
 protected:
  uint64_t Publish(std::string request, std::string_view body = "body") {
    return shelf_.Publish(EntryOf(std::move(request), body, volume_));
  }

  uint64_t PublishUntil(std::string request, uint64_t expires_at_ns) {
    NewEntry entry = EntryOf(std::move(request), "", volume_);
    entry.expires_at_ns = expires_at_ns;
    return shelf_.Publish(std::move(entry));
  }

  /// An answer with a hole for the client's request id between two parts of its head.
  uint64_t PublishWithHole(std::string_view target) {
    const std::string head = HeadOf(target);
    NewEntry entry = EntryOf(head.substr(0, head.size() - 2) + std::string(kIdHeader), "", volume_);
    entry.heads.request_rest = kRest;
    return shelf_.Publish(std::move(entry));
  }

  static std::string WithClientId(std::string_view target, std::string_view id) {
    const std::string head = HeadOf(target);
    return head.substr(0, head.size() - 2) + std::string(kIdHeader) + std::string(id) +
           std::string(kRest);
  }

  /// Returns the id of the entry that is found; 0: none.
  uint64_t Found(std::string_view head) {
    const Recalled recalled = shelf_.Recall(head, kNow);
    return recalled.entry ? recalled.entry->id() : 0;
  }

  /// Nothing is found where one byte of the head is another one, unless it lies in the client's id,
  /// nor where bytes are missing at the end.
  void ExpectNoOtherIsFound(const std::string& head, uint64_t id, std::string_view client_id) {
    const size_t hole_at = head.find(client_id);
    for (size_t at = 0; at < head.size(); ++at) {
      if (at >= hole_at && at < hole_at + client_id.size()) continue;
      for (int other = 0; other < 256; ++other) {
        std::string changed = head;
        changed[at] = static_cast<char>(other);
        ASSERT_EQ(Found(changed), changed == head ? id : 0) << "byte " << at << " is " << other;
      }
    }
    for (size_t bytes = 0; bytes < head.size(); ++bytes)
      EXPECT_EQ(Found(head.substr(0, bytes)), 0u) << bytes;
  }

  static constexpr std::string_view kRest = "\r\nAccept: */*\r\n\r\n";

  std::atomic<int> told_{0};
  std::shared_ptr<Volume> volume_ = std::make_shared<Volume>(7);
  Shelf shelf_{[this] { ++told_; }};
};

TEST_F(ShelfTest, FindsWhatWasPublished) {
  const std::string body = "the needle's bytes";
  NewEntry entry = EntryOf(HeadOf("7,01"), body, volume_);
  entry.heads.answer = "HTTP/1.1 200 OK\r\n\r\n";
  entry.heads.id_at = 3;
  entry.heads.id_again_at = 5;
  entry.heads.date_at = 9;
  entry.agent = 4;
  const uint64_t id = shelf_.Publish(std::move(entry));
  EXPECT_NE(id, 0u);
  const Recalled found = shelf_.Recall(HeadOf("7,01"), kNow);
  ASSERT_TRUE(found.entry);
  EXPECT_EQ(found.entry->id(), id);
  EXPECT_EQ(found.client_id, "");
  EXPECT_EQ(TextOf(found.entry->body()).data(), body.data()) << "the body was copied";
  EXPECT_EQ(TextOf(found.entry->body()), body);
  EXPECT_EQ(found.entry->heads().answer, "HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(found.entry->heads().id_at, 3u);
  EXPECT_EQ(found.entry->heads().id_again_at, 5u);
  EXPECT_EQ(found.entry->heads().date_at, 9u);
  EXPECT_EQ(found.entry->agent(), 4u);
  EXPECT_EQ(found.entry->volume().id(), 7u);
  EXPECT_TRUE(found.entry->IsLive(kNow));
  EXPECT_EQ(shelf_.size(), 1u);
}

TEST_F(ShelfTest, FindsNothingWhereOneByteDiffers) {
  const std::string head = HeadOf("7,01");
  const uint64_t id = Publish(head);
  ExpectNoOtherIsFound(head, id, "");
  EXPECT_EQ(Found(head + "\r"), 0u);
  EXPECT_EQ(Found(" " + head), 0u);
}

TEST_F(ShelfTest, FindsNothingWhereOneByteAroundTheHoleDiffers) {
  const std::string client_id = "1880AAFF00bb";
  const std::string head = WithClientId("7,01", client_id);
  const uint64_t id = PublishWithHole("7,01");
  ExpectNoOtherIsFound(head, id, client_id);
  EXPECT_EQ(Found(head + "\r\n"), 0u);
}

TEST_F(ShelfTest, TakesAnyClientIdThatIsOne) {
  const uint64_t id = PublishWithHole("7,01");
  for (const std::string& client_id : {std::string(), std::string("1880AAFF00BB1880AAFF00BB"),
                                       std::string("a-Z"), std::string(kClientIdBytesMax, '9')}) {
    const std::string head = WithClientId("7,01", client_id);
    const Recalled found = shelf_.Recall(head, kNow);
    ASSERT_TRUE(found.entry) << client_id;
    EXPECT_EQ(found.entry->id(), id);
    EXPECT_EQ(found.client_id, client_id);
  }
  EXPECT_EQ(Found(WithClientId("7,01", std::string(kClientIdBytesMax + 1, '9'))), 0u);
  EXPECT_EQ(Found(WithClientId("7,01", std::string(kClientIdBytesMax * 100, '9'))), 0u);
}

TEST_F(ShelfTest, TakesNoOtherCharacterInAClientId) {
  PublishWithHole("7,01");
  constexpr std::string_view kAllowed =
      "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  for (int value = 0; value < 256; ++value) {
    const char c = static_cast<char>(value);
    const bool is_allowed = kAllowed.find(c) != std::string_view::npos;
    for (const std::string& client_id : {std::string{c}, std::string{'a', c}, std::string{c, 'a'}})
      EXPECT_EQ(Found(WithClientId("7,01", client_id)) != 0, is_allowed) << "character " << value;
  }
}

TEST_F(ShelfTest, TellsHeadsOfOneTargetApart) {
  const uint64_t get = Publish(HeadOf("7,01"));
  const uint64_t head = Publish(HeadOf("7,01", "HEAD"), "");
  const uint64_t with_hole = PublishWithHole("7,01");
  EXPECT_EQ(Found(HeadOf("7,01")), get);
  EXPECT_EQ(Found(HeadOf("7,01", "HEAD")), head);
  EXPECT_EQ(Found(WithClientId("7,01", "1")), with_hole);
  EXPECT_EQ(shelf_.size(), 3u);
  EXPECT_TRUE(shelf_.Withdraw(get));
  EXPECT_EQ(Found(HeadOf("7,01")), 0u);
  EXPECT_EQ(Found(HeadOf("7,01", "HEAD")), head);
  EXPECT_EQ(Found(WithClientId("7,01", "1")), with_hole);
}

TEST_F(ShelfTest, FindsEachOfManyTargets) {
  std::map<std::string, uint64_t> ids;
  for (int i = 0; i < 1'000; ++i)
    ids[HeadOf(std::to_string(i))] = Publish(HeadOf(std::to_string(i)));
  for (const auto& [head, id] : ids) EXPECT_EQ(Found(head), id);
  int left = 0;
  for (const auto& [head, id] : ids) {
    if (id % 2 != 0) continue;
    EXPECT_TRUE(shelf_.Withdraw(id));
  }
  for (const auto& [head, id] : ids) {
    EXPECT_EQ(Found(head), id % 2 == 0 ? 0 : id);
    left += static_cast<int>(id % 2);
  }
  EXPECT_EQ(shelf_.size(), static_cast<size_t>(left));
}

TEST_F(ShelfTest, FreesAtOnceWhatIsNotHeld) {
  const uint64_t id = Publish(HeadOf("7,01"));
  EXPECT_TRUE(shelf_.Withdraw(id));
  EXPECT_EQ(Found(HeadOf("7,01")), 0u);
  EXPECT_EQ(shelf_.size(), 0u);
  EXPECT_FALSE(shelf_.Withdraw(id)) << "withdrawn twice";
  EXPECT_FALSE(shelf_.Withdraw(12'345)) << "never published";
  EXPECT_TRUE(shelf_.TakeFreed().empty());
  EXPECT_EQ(told_, 0);
}

TEST_F(ShelfTest, NamesWhatWasHeldOnceAfterItsLastHold) {
  std::string body = "unchanged while it is held";
  const uint64_t id = Publish(HeadOf("7,01"), body);
  Recalled first = shelf_.Recall(HeadOf("7,01"), kNow);
  Recalled second = shelf_.Recall(HeadOf("7,01"), kNow);
  EXPECT_FALSE(shelf_.Withdraw(id));
  EXPECT_EQ(Found(HeadOf("7,01")), 0u);
  EXPECT_FALSE(first.entry->IsLive(kNow));
  first.entry.Reset();
  first.entry.Reset();
  EXPECT_TRUE(shelf_.TakeFreed().empty());
  EXPECT_EQ(told_, 0);
  EXPECT_EQ(TextOf(second.entry->body()), "unchanged while it is held");
  Held moved = std::move(second.entry);
  Held assigned;
  assigned = std::move(moved);
  EXPECT_TRUE(shelf_.TakeFreed().empty());
  EXPECT_EQ(TextOf(assigned->body()), "unchanged while it is held");
  assigned.Reset();
  EXPECT_EQ(told_, 1);
  EXPECT_EQ(shelf_.TakeFreed(), std::vector<uint64_t>{id});
  EXPECT_TRUE(shelf_.TakeFreed().empty());
}

TEST_F(ShelfTest, NamesNothingThatIsStillPublished) {
  const uint64_t id = Publish(HeadOf("7,01"));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Found(HeadOf("7,01")), id);
  EXPECT_TRUE(shelf_.TakeFreed().empty());
  EXPECT_EQ(told_, 0);
}

TEST_F(ShelfTest, FindsNothingOfADroppedVolume) {
  const auto other_volume = std::make_shared<Volume>(8);
  Publish(HeadOf("7,01"));
  const uint64_t other = shelf_.Publish(EntryOf(HeadOf("8,01"), "", other_volume));
  const Recalled held = shelf_.Recall(HeadOf("7,01"), kNow);
  volume_->DropAll();
  EXPECT_FALSE(held.entry->IsLive(kNow));
  EXPECT_EQ(Found(HeadOf("7,01")), 0u);
  EXPECT_EQ(Found(HeadOf("8,01")), other);
  const uint64_t later = Publish(HeadOf("7,02"));
  EXPECT_EQ(Found(HeadOf("7,02")), later);
}

TEST_F(ShelfTest, FindsTheNewOneOfAHeadThatWasPublishedAnew) {
  for (int round = 0; round < 20; ++round) {
    const uint64_t before = Publish(HeadOf("7,01"), "before");
    volume_->DropAll();
    const uint64_t after = Publish(HeadOf("7,01"), "after");
    EXPECT_EQ(Found(HeadOf("7,01")), after);
    EXPECT_TRUE(shelf_.Withdraw(before));
    const Recalled found = shelf_.Recall(HeadOf("7,01"), kNow);
    ASSERT_TRUE(found.entry);
    EXPECT_EQ(TextOf(found.entry->body()), "after");
    EXPECT_FALSE(shelf_.Withdraw(after));
    const uint64_t last = Publish(HeadOf("7,01"), "last");
    EXPECT_EQ(Found(HeadOf("7,01")), last);
    EXPECT_TRUE(shelf_.Withdraw(last));
  }
  EXPECT_EQ(shelf_.size(), 0u);
}

TEST_F(ShelfTest, EndsAnEntryAtItsTime) {
  PublishUntil(HeadOf("7,01"), kNow + 10);
  const uint64_t endless = Publish(HeadOf("7,02"));
  const Recalled found = shelf_.Recall(HeadOf("7,01"), kNow + 9);
  ASSERT_TRUE(found.entry);
  EXPECT_TRUE(found.entry->IsLive(kNow + 9));
  EXPECT_FALSE(found.entry->IsLive(kNow + 10));
  EXPECT_FALSE(shelf_.Recall(HeadOf("7,01"), kNow + 10).entry);
  EXPECT_EQ(shelf_.Recall(HeadOf("7,02"), UINT64_MAX).entry->id(), endless);
}

TEST_F(ShelfTest, FindsTheNewOneOfAHeadWhoseEntryEnded) {
  PublishUntil(HeadOf("7,01"), kNow);
  const uint64_t after = Publish(HeadOf("7,01"));
  EXPECT_NE(after, 0u);
  EXPECT_EQ(Found(HeadOf("7,01")), after);
}

TEST_F(ShelfTest, PublishesALiveRequestOnce) {
  const uint64_t id = Publish(HeadOf("7,01"));
  EXPECT_EQ(Publish(HeadOf("7,01"), "another"), 0u);
  EXPECT_EQ(shelf_.size(), 1u);
  const uint64_t with_hole = PublishWithHole("7,01");
  EXPECT_NE(with_hole, 0u);
  EXPECT_EQ(PublishWithHole("7,01"), 0u);
  EXPECT_TRUE(shelf_.Withdraw(id));
  EXPECT_NE(Publish(HeadOf("7,01"), "another"), 0u);
  volume_->DropAll();
  EXPECT_NE(PublishWithHole("7,01"), 0u);
}

TEST(Shelf, FreesWhatIsPublishedAtItsEnd) {
  const auto volume = std::make_shared<Volume>(7);
  {
    Shelf shelf([] { ADD_FAILURE() << "told of an entry that was not withdrawn"; });
    shelf.Publish(EntryOf(HeadOf("7,01"), "", volume));
    EXPECT_EQ(volume.use_count(), 2);
  }
  EXPECT_EQ(volume.use_count(), 1);
}

}  // namespace
}  // namespace shelf
