#include <fcntl.h>

#include "engine/engine_fixture_test.h"
#include "storage/vacuum.h"

namespace engine {
namespace {

using protocol::Status;
using protocol::Verdict;

class EngineCoherence : public EngineTest {
 protected:
  void Put(storage::VolumeWriter& writer, uint64_t id, std::string_view data) {
    ASSERT_TRUE(writer.Append({.needle_id = id, .cookie = 2, .data = AsBytes(data)}));
  }
  ValidateResult Validate(uint64_t epoch, uint64_t position) {
    return engine_->Validate({.epoch = epoch, .position = position, .volume_id = 3, .reserved = 0});
  }
  static Verdict VerdictOf(const ValidateResult& result) {
    return static_cast<Verdict>(result.row.verdict);
  }
  static void Vacuum(storage::VolumeWriter& writer) {
    auto vacuum = storage::Vacuum::Compact(writer);
    ASSERT_TRUE(vacuum);
    ASSERT_TRUE(vacuum->Commit());
  }
};

TEST_F(EngineCoherence, EveryAcknowledgedWriteAndDeleteIsSeenByTheNextRead) {
  const auto writer = Write({.volume_id = 3});
  Put(*writer, 1, "start");
  Start();
  ASSERT_EQ(AskLoaded(3, 1, 2).status, Status::ok);
  for (int i = 0; i < 200; i++) {
    const std::string data = "value " + std::to_string(i);
    Put(*writer, 1, data);
    ASSERT_EQ(Ask(Command(3, 1, 2)).data, data);
    if (i % 10 != 0) continue;
    ASSERT_TRUE(writer->Delete(1));
    ASSERT_EQ(Ask(Command(3, 1, 2)).status, Status::deleted);
  }
}

TEST_F(EngineCoherence, ALongTailIsAppliedOnAnIoThreadWithinTheSameEpoch) {
  const auto writer = Write({.volume_id = 3});
  Put(*writer, 1, "start");
  Start();
  const Reply before = AskLoaded(3, 1, 2);
  for (uint64_t id = 2; id < 6000; id++) Put(*writer, id, "x");
  Put(*writer, 1, "end");
  EXPECT_EQ(Ask(Command(3, 1, 2)).status, Status::volume_unconfirmed);
  const Reply after = AskLoaded(3, 1, 2);
  EXPECT_EQ(after.data, "end");
  EXPECT_EQ(after.header.epoch, before.header.epoch);
}

TEST_F(EngineCoherence, ValidateTellsTheIdsThatChangedSince) {
  const auto writer = Write({.volume_id = 3});
  Put(*writer, 1, "a");
  Start();
  const Reply reply = AskLoaded(3, 1, 2);
  EXPECT_EQ(Validate(reply.header.epoch, reply.header.position).ids.size(), 0u);
  Put(*writer, 5, "b");
  Put(*writer, 4, "c");
  Put(*writer, 5, "d");
  ASSERT_TRUE(writer->Delete(1));
  const ValidateResult result = Validate(reply.header.epoch, reply.header.position);
  EXPECT_EQ(VerdictOf(result), Verdict::changed);
  EXPECT_EQ(result.ids, (std::vector<uint64_t>{1, 4, 5}));
  EXPECT_EQ(result.row.id_count, 3u);
  EXPECT_EQ(result.row.position, reply.header.position + 4 * 16);
}

TEST_F(EngineCoherence, ValidateSaysFlushWhereItCannotTell) {
  const auto writer = Write({.volume_id = 3});
  Put(*writer, 1, "a");
  Start();
  const Reply reply = AskLoaded(3, 1, 2);
  EXPECT_EQ(VerdictOf(Validate(reply.header.epoch + 1, 0)), Verdict::flush);
  EXPECT_EQ(VerdictOf(Validate(reply.header.epoch, reply.header.position + 16)), Verdict::flush);
  EXPECT_EQ(VerdictOf(Validate(reply.header.epoch, 5)), Verdict::flush);
  for (uint64_t id = 1; id <= protocol::kChangedIdsMax + 1; id++) Put(*writer, id, "x");
  ASSERT_EQ(AskLoaded(3, 1, 2).status, Status::ok);
  const ValidateResult result = Validate(reply.header.epoch, reply.header.position);
  EXPECT_EQ(VerdictOf(result), Verdict::flush);
  EXPECT_EQ(result.row.epoch, reply.header.epoch);
  EXPECT_TRUE(result.ids.empty());
}

TEST_F(EngineCoherence, AVacuumBeginsANewEpochAndNoDeletedNeedleComesBack) {
  const auto writer = Write({.volume_id = 3});
  for (uint64_t id = 1; id <= 100; id++) Put(*writer, id, Pattern(1000, static_cast<uint32_t>(id)));
  Start();
  const Reply before = AskLoaded(3, 7, 2);
  for (uint64_t id = 1; id <= 50; id++) {
    if (id == 7) continue;
    ASSERT_TRUE(writer->Delete(id));
  }
  auto vacuum = storage::Vacuum::Compact(*writer);
  ASSERT_TRUE(vacuum);
  Put(*writer, 60, "written meanwhile");
  ASSERT_TRUE(writer->Delete(61));
  EXPECT_EQ(Ask(Command(3, 7, 2)).data, before.data);
  ASSERT_TRUE(vacuum->Commit());
  const Reply after = AskLoaded(3, 7, 2);
  EXPECT_EQ(after.data, before.data);
  EXPECT_NE(after.header.epoch, before.header.epoch);
  EXPECT_EQ(Ask(Command(3, 60, 2)).data, "written meanwhile");
  EXPECT_EQ(Ask(Command(3, 61, 2)).status, Status::deleted);
  EXPECT_EQ(Ask(Command(3, 1, 2)).status, Status::not_found);
  EXPECT_EQ(VerdictOf(Validate(before.header.epoch, before.header.position)), Verdict::flush);
}

TEST_F(EngineCoherence, AVolumeUnderItsCommitMarkerIsNotLoaded) {
  const auto writer = Write({.volume_id = 3});
  Put(*writer, 1, "a");
  const int marker = open((dir_ + "/3.cpc").c_str(), O_CREAT | O_RDWR, 0644);
  Start();
  ASSERT_TRUE(PollUntil([&] { return engine_->volumes_generation() > 0; }));
  EXPECT_EQ(Ask(Command(3, 1, 2)).status, Status::volume_unconfirmed);
  close(marker);
  unlink((dir_ + "/3.cpc").c_str());
  EXPECT_EQ(AskLoaded(3, 1, 2).data, "a");
}

TEST_F(EngineCoherence, NewVolumesAreFoundAndDeletedOnesAreForgottenAtOnce) {
  Start();
  const auto writer = Write({.collection = "my_pics", .volume_id = 3});
  Put(*writer, 1, "a");
  ASSERT_TRUE(PollUntil([&] {
    const auto volumes = engine_->Volumes();
    return volumes.size() == 1 && volumes[0].version == 3;
  }));
  EXPECT_EQ(engine_->Volumes()[0].collection, "my_pics");
  EXPECT_TRUE(engine_->Volumes()[0].confirmed);
  const Reply reply = AskLoaded(3, 1, 2);
  EXPECT_EQ(reply.status, Status::ok);
  for (const char* extension : {".idx", ".dat", ".vif"})
    unlink((dir_ + "/my_pics_3" + extension).c_str());
  EXPECT_EQ(Ask(Command(3, 1, 2)).status, Status::unknown_volume);
  EXPECT_EQ(VerdictOf(Validate(reply.header.epoch, reply.header.position)), Verdict::gone);
  EXPECT_TRUE(engine_->Volumes().empty());
}

TEST_F(EngineCoherence, TheSweepClosesWhatNoPathNamesWithoutARequest) {
  const auto writer = Write({.volume_id = 3});
  for (uint64_t id = 1; id <= 10; id++) Put(*writer, id, "a");
  Start();
  ASSERT_EQ(AskLoaded(3, 1, 2).status, Status::ok);
  const uint64_t reloads = engine_->stats().reloads;
  Vacuum(*writer);
  EXPECT_TRUE(PollUntil([&] { return engine_->stats().reloads > reloads; }));
}

TEST_F(EngineCoherence, OnlyARecentPollThatListsTheVolumeConfirmsIt) {
  const auto writer = Write({.volume_id = 3});
  Put(*writer, 1, "a");
  constexpr uint64_t kInterval = 60 * kNsPerSecond;
  Start({.confirm_interval_ns = kInterval});
  ASSERT_TRUE(PollUntil([&] { return engine_->stats().volumes_loaded == 1; }));
  const auto ask = [&] { return Ask(Command(3, 1, 2)).status; };
  EXPECT_EQ(ask(), Status::volume_unconfirmed);
  const std::vector<ServedVolume> served{
      {.volume_id = 3, .size_bytes = 40, .file_count = 1, .modified_at_s = 5}};
  engine_->Confirm(protocol::NowNs(), served);
  EXPECT_EQ(ask(), Status::ok);
  EXPECT_TRUE(engine_->Volumes()[0].confirmed);
  engine_->Confirm(protocol::NowNs() - 3 * kInterval, served);
  EXPECT_EQ(ask(), Status::volume_unconfirmed);
  EXPECT_FALSE(engine_->Volumes()[0].confirmed);
  engine_->Confirm(protocol::NowNs(), {});
  EXPECT_EQ(ask(), Status::volume_unconfirmed);
  const std::vector<ServedVolume> closed{
      {.volume_id = 3, .size_bytes = 0, .file_count = 0, .modified_at_s = 0}};
  engine_->Confirm(protocol::NowNs(), closed);
  EXPECT_EQ(ask(), Status::volume_unconfirmed);
  EXPECT_EQ(VerdictOf(Validate(1, 0)), Verdict::unconfirmed);
}

TEST_F(EngineCoherence, VolumesThatTheServerCannotLoadAreUnsupported) {
  for (const uint32_t id : {3u, 4u, 5u}) Put(*Write({.volume_id = id}), 1, "a");
  const int torn = open((dir_ + "/3.idx").c_str(), O_WRONLY | O_APPEND);
  ASSERT_EQ(write(torn, "x", 1), 1);
  close(torn);
  const int extra = open((dir_ + "/4.dat").c_str(), O_WRONLY);
  ASSERT_EQ(pwrite(extra, "\1", 1, 7), 1);
  close(extra);
  const int tiered = open((dir_ + "/5.vif").c_str(), O_WRONLY | O_TRUNC);
  const std::string_view text = "{\"files\":[{\"backendType\":\"s3\"}]}";
  ASSERT_EQ(write(tiered, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  close(tiered);
  Start();
  for (const uint32_t id : {3u, 4u, 5u})
    EXPECT_EQ(AskLoaded(id, 1, 2).status, Status::unsupported_volume) << id;
}

TEST_F(EngineCoherence, TheIndexMayLieInADirectoryOfItsOwn) {
  const std::string idx_dir = dir_ + "/idx";
  std::filesystem::create_directory(idx_dir);
  const auto writer = Write({.idx_dir = idx_dir, .volume_id = 3});
  Put(*writer, 1, "a");
  ASSERT_TRUE(std::filesystem::exists(idx_dir + "/3.idx"));
  Start({.dirs = {dir_}, .idx_dirs = {idx_dir}});
  EXPECT_EQ(AskLoaded(3, 1, 2).data, "a");
}

}  // namespace
}  // namespace engine
