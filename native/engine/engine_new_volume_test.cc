#include <chrono>

#include "engine/engine_fixture_test.h"

// Volumes that begin to exist while the engine runs: how soon they are served, and what asking for
// volumes that no server has may cost.
namespace engine {
namespace {

using protocol::Status;
using protocol::Verdict;

class EngineNewVolume : public EngineTest {
 protected:
  static constexpr uint64_t kInterval = 60 * kNsPerSecond;
  // The sweep alone finds one volume a second.
  static constexpr uint32_t kVolumes = 8;
  static constexpr uint64_t kSoonNs = kVolumes * kNsPerSecond / 2;

  void Put(uint32_t volume_id) {
    writers_.push_back(Write({.volume_id = volume_id}));
    ASSERT_TRUE(writers_.back()->Append({.needle_id = 1, .cookie = 2, .data = AsBytes("a")}));
    served_.push_back(
        {.volume_id = volume_id, .size_bytes = 40, .file_count = 1, .modified_at_s = 5});
  }
  Verdict Validate(uint32_t volume_id) {
    const auto result =
        engine_->Validate({.epoch = 0, .position = 0, .volume_id = volume_id, .reserved = 0});
    return static_cast<Verdict>(result.row.verdict);
  }
  bool IsServed(uint32_t volume_id) {
    for (const AnnouncedVolume& volume : engine_->Volumes())
      if (volume.volume_id == volume_id) return volume.version != 0 && volume.confirmed;
    return false;
  }
  /// Starts the engine as it is after a scan that found nothing.
  void StartEmpty() {
    Start({.confirm_interval_ns = kInterval});
    ASSERT_TRUE(PollUntil([&] { return Validate(99) == Verdict::gone; }));
    (void)engine_->TakePollWanted();
    engine_->Confirm(protocol::NowNs(), {});
  }

  std::vector<std::unique_ptr<storage::VolumeWriter>> writers_;
  std::vector<ServedVolume> served_;
};

TEST_F(EngineNewVolume, AskingForAVolumeThatNobodyListsWantsOnePoll) {
  StartEmpty();
  EXPECT_FALSE(engine_->TakePollWanted());
  EXPECT_EQ(Validate(7), Verdict::gone);
  EXPECT_TRUE(engine_->TakePollWanted());
  for (uint32_t id = 8; id < 100; id++) EXPECT_EQ(Validate(id), Verdict::gone);
  EXPECT_EQ(Ask(Command(100, 1, 2)).status, Status::unknown_volume);
  EXPECT_FALSE(engine_->TakePollWanted());
  engine_->Confirm(protocol::NowNs(), {});
  EXPECT_FALSE(engine_->TakePollWanted());
  EXPECT_EQ(Ask(Command(100, 1, 2)).status, Status::unknown_volume);
  EXPECT_TRUE(engine_->TakePollWanted());
}

TEST_F(EngineNewVolume, AskingAfterThePollHadStartedWantsAnother) {
  StartEmpty();
  EXPECT_EQ(Validate(7), Verdict::gone);
  EXPECT_TRUE(engine_->TakePollWanted());
  const uint64_t started_ns = protocol::NowNs();
  EXPECT_EQ(Validate(8), Verdict::gone);
  EXPECT_FALSE(engine_->TakePollWanted());
  engine_->Confirm(started_ns, {});
  EXPECT_TRUE(engine_->TakePollWanted());
}

TEST_F(EngineNewVolume, AVolumeThatThePollListsWantsNone) {
  Put(3);
  Start({.confirm_interval_ns = kInterval});
  ASSERT_TRUE(PollUntil([&] { return engine_->stats().volumes_loaded == 1; }));
  EXPECT_EQ(Validate(3), Verdict::unconfirmed);
  EXPECT_TRUE(engine_->TakePollWanted());
  engine_->Confirm(protocol::NowNs(), served_);
  EXPECT_EQ(Validate(3), Verdict::flush);
  engine_->Confirm(protocol::NowNs() - 3 * kInterval, served_);
  EXPECT_EQ(Validate(3), Verdict::unconfirmed) << "the poll is too old";
  EXPECT_FALSE(engine_->TakePollWanted());
}

TEST_F(EngineNewVolume, AVolumeIsServedAsSoonAsAPollListsIt) {
  StartEmpty();
  const uint64_t begun_ns = protocol::NowNs();
  for (uint32_t id = 1; id <= kVolumes; id++) {
    Put(id);
    engine_->Confirm(protocol::NowNs(), served_);
    EXPECT_TRUE(PollUntil([&] { return IsServed(id); }));
    EXPECT_EQ(Ask(Command(id, 1, 2)).data, "a");
  }
  EXPECT_LT(protocol::NowNs() - begun_ns, kSoonNs);
}

TEST_F(EngineNewVolume, NoVolumeIsServedBeforeAPollListsIt) {
  StartEmpty();
  Put(3);
  ASSERT_TRUE(PollUntil([&] { return engine_->stats().volumes_loaded == 1; }));
  EXPECT_EQ(Ask(Command(3, 1, 2)).status, Status::volume_unconfirmed);
  EXPECT_FALSE(IsServed(3));
}

// SeaweedFS's volume server in Rust lists a new volume like this, and both servers list one that
// they have closed like this.
TEST_F(EngineNewVolume, AVolumeThatWasListedBeforeItsFirstNeedleWantsOnePoll) {
  StartEmpty();
  Put(3);
  const ServedVolume written = served_.back();
  served_.back() = {.volume_id = 3, .size_bytes = 0, .file_count = 0, .modified_at_s = 0};
  engine_->Confirm(protocol::NowNs(), served_);
  ASSERT_TRUE(PollUntil([&] { return engine_->stats().volumes_loaded == 1; }));
  EXPECT_EQ(Ask(Command(3, 1, 2)).status, Status::volume_unconfirmed);
  EXPECT_TRUE(engine_->TakePollWanted());
  engine_->Confirm(protocol::NowNs(), served_);
  EXPECT_EQ(Ask(Command(3, 1, 2)).status, Status::volume_unconfirmed) << "it was closed";
  EXPECT_FALSE(engine_->TakePollWanted());
  served_.back() = written;
  engine_->Confirm(protocol::NowNs(), served_);
  EXPECT_EQ(Ask(Command(3, 1, 2)).data, "a");
}

TEST_F(EngineNewVolume, ACopiedVolumeIsLoadedAsSoonAsAPollListsIt) {
  StartEmpty();
  const uint64_t begun_ns = protocol::NowNs();
  for (uint32_t id = 1; id <= kVolumes; id++) {
    Put(id);
    const std::string note = dir_ + "/" + std::to_string(id) + ".note";
    fclose(fopen(note.c_str(), "w"));
    engine_->Confirm(protocol::NowNs(), served_);
    EXPECT_TRUE(PollUntil([&] { return engine_->Volumes().size() == id; }));
    EXPECT_FALSE(IsServed(id)) << "found, and not loaded";
    engine_->Confirm(protocol::NowNs(), std::span(served_).first(id - 1));
    unlink(note.c_str());
    engine_->Confirm(protocol::NowNs(), served_);
    EXPECT_TRUE(PollUntil([&] { return IsServed(id); }));
  }
  EXPECT_LT(protocol::NowNs() - begun_ns, kSoonNs);
}

// Such a load may have looked before the files were complete: it was not repeated, and the volume
// waited for the next sweep.
TEST_F(EngineNewVolume, ALoadThatBeganBeforeThePollListedItsVolumeIsRepeated) {
  StartEmpty();
  const uint64_t begun_ns = protocol::NowNs();
  for (uint32_t id = 1; id <= kVolumes; id++) {
    Put(id);
    const std::string note = dir_ + "/" + std::to_string(id) + ".note";
    fclose(fopen(note.c_str(), "w"));
    engine_->Confirm(protocol::NowNs(), served_);
    EXPECT_TRUE(PollUntil([&] { return engine_->Volumes().size() == id; }));
    pollfd load_ended{engine_->event_fd(), POLLIN, 0};
    ASSERT_EQ(poll(&load_ended, 1, 2000), 1);
    engine_->Confirm(protocol::NowNs(), std::span(served_).first(id - 1));
    unlink(note.c_str());
    engine_->Confirm(protocol::NowNs(), served_);
    EXPECT_TRUE(PollUntil([&] { return IsServed(id); }));
  }
  EXPECT_LT(protocol::NowNs() - begun_ns, kSoonNs);
}

TEST_F(EngineNewVolume, WithoutAVolumeServerAskingLooksAtTheDirectories) {
  Start();
  ASSERT_TRUE(PollUntil([&] { return Validate(99) == Verdict::gone; }));
  const uint64_t begun_ns = protocol::NowNs();
  for (uint32_t id = 1; id <= kVolumes; id++) {
    Put(id);
    EXPECT_TRUE(PollUntil([&] { return Validate(id) == Verdict::flush; }));
  }
  EXPECT_LT(protocol::NowNs() - begun_ns, kSoonNs);
  EXPECT_FALSE(engine_->TakePollWanted());
}

}  // namespace
}  // namespace engine
