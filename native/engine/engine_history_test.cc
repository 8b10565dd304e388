#include <array>
#include <atomic>
#include <charconv>
#include <random>
#include <thread>

#include "engine/engine_fixture_test.h"
#include "storage/vacuum.h"

// Reads while a writer puts, deletes and vacuums on another thread: each answer must be a state
// that the needle had between the read's beginning and its end. Versions of a needle count up, and
// a fixed hash of the version says whether it is a put or a delete, so that a reader can tell
// without asking the writer.
namespace engine {
namespace {

using protocol::Status;

constexpr uint64_t kKeys = 12;
constexpr auto kDuration = std::chrono::seconds(4);

struct Key {
  std::atomic<uint64_t> begun{0};         // versions 1…begun may be visible
  std::atomic<uint64_t> acknowledged{0};  // versions up to it must be
};

bool IsDelete(uint64_t version) {
  return version == 0 || (version * 0x9e3779b97f4a7c15ull >> 61) == 0;
}

std::string ValueOf(uint64_t key, uint64_t version) {
  return std::to_string(key) + " " + std::to_string(version) + " " +
         Pattern(version % 5 * 3000, static_cast<uint32_t>(key * 1000003 + version));
}

class EngineHistory : public EngineTest {
 protected:
  void WriteUntilStopped(storage::VolumeWriter& writer) {
    std::mt19937_64 random(1);
    for (uint64_t step = 1; !is_stopped_; step++) {
      const uint64_t key = random() % kKeys;
      const uint64_t version = keys_[key].begun + 1;
      keys_[key].begun = version;
      if (IsDelete(version)) {
        is_writer_well_ = is_writer_well_ && writer.Delete(key + 1);
      } else {
        const std::string value = ValueOf(key, version);
        is_writer_well_ =
            is_writer_well_ &&
            writer.Append({.needle_id = key + 1, .cookie = kCookie, .data = AsBytes(value)});
      }
      keys_[key].acknowledged = version;
      if (step % 300 == 0) VacuumOnce(writer);
    }
  }

  void VacuumOnce(storage::VolumeWriter& writer) {
    auto vacuum = storage::Vacuum::Compact(writer);
    is_writer_well_ = is_writer_well_ && vacuum && vacuum->Commit();
    vacuums_++;
  }

  void CheckOne(uint64_t key) {
    const uint64_t first = keys_[key].acknowledged;
    const Reply reply = Ask(Command(kVolume, key + 1, kCookie));
    const uint64_t last = keys_[key].begun;
    if (reply.status == Status::volume_unconfirmed) {
      unconfirmed_++;
      pollfd waiting{engine_->event_fd(), POLLIN, 0};
      poll(&waiting, 1, 1);
      engine_->Poll();
      return;
    }
    answered_++;
    if (reply.status != Status::ok) {
      ASSERT_TRUE(reply.status == Status::deleted || reply.status == Status::not_found)
          << protocol::StatusName(reply.status);
      for (uint64_t version = first; version <= last; version++) {
        if (IsDelete(version)) return;
      }
      FAIL() << "key " << key << " was lost between versions " << first << " and " << last;
    }
    uint64_t version = 0;
    const char* text = reply.data.data() + reply.data.find(' ') + 1;
    std::from_chars(text, reply.data.data() + reply.data.size(), version);
    ASSERT_GE(version, first) << "stale";
    ASSERT_LE(version, last) << "from the future";
    ASSERT_FALSE(IsDelete(version));
    ASSERT_EQ(reply.data, ValueOf(key, version));
  }

  std::array<Key, kKeys> keys_;
  std::atomic<bool> is_stopped_{false};
  std::atomic<bool> is_writer_well_{true};
  std::atomic<uint64_t> vacuums_{0};
  uint64_t answered_ = 0;
  uint64_t unconfirmed_ = 0;
};

TEST_F(EngineHistory, NoReadIsStaleLostOrFromTheFutureUnderWritesDeletesAndVacuums) {
  const auto writer = Write({.volume_id = kVolume});
  Start();
  ASSERT_EQ(AskLoaded(kVolume, 1, kCookie).status, Status::not_found);
  std::thread thread([&] { WriteUntilStopped(*writer); });
  const auto end = std::chrono::steady_clock::now() + kDuration;
  for (uint64_t i = 0; std::chrono::steady_clock::now() < end && !HasFatalFailure(); i++)
    CheckOne(i % kKeys);
  is_stopped_ = true;
  thread.join();
  EXPECT_TRUE(is_writer_well_);
  EXPECT_GT(vacuums_, 3u);
  EXPECT_GT(answered_, 1000u);
  EXPECT_GT(answered_, unconfirmed_) << "mostly unconfirmed: the test tests little";
  RecordProperty("answered", std::to_string(answered_));
  RecordProperty("vacuums", std::to_string(vacuums_));
}

}  // namespace
}  // namespace engine
