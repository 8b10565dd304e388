#include "storage/vacuum.h"

#include <gtest/gtest.h>

#include "storage/crc32c.h"
#include "storage/inspect.h"
#include "storage/volume_directory_test.h"

namespace storage {
namespace {

class VacuumTest : public testing::Test {
 protected:
  void SetUp() override { writer_ = Create({}); }

  std::unique_ptr<VolumeWriter> Create(NewVolume options) {
    options.dir = directory_.path();
    options.volume_id = ++volume_id_;
    auto writer = VolumeWriter::Create(options);
    EXPECT_TRUE(writer.has_value()) << writer.error();
    return writer ? std::move(*writer) : nullptr;
  }

  void Put(uint64_t needle_id, std::string_view data) {
    const auto written = writer_->Append({.needle_id = needle_id,
                                          .cookie = 1,
                                          .data = BytesOfText(data),
                                          .name = BytesOfText("name")});
    ASSERT_TRUE(written.has_value()) << written.error();
  }

  VacuumReport Run() {
    auto vacuum = Vacuum::Compact(*writer_);
    EXPECT_TRUE(vacuum.has_value()) << vacuum.error();
    const auto report = vacuum->Commit();
    EXPECT_TRUE(report.has_value()) << report.error();
    return report.value_or(VacuumReport{});
  }

  std::vector<uint64_t> Ids() {
    const auto listed = ListNeedles(writer_->volume().paths, UINT64_MAX);
    EXPECT_TRUE(listed.has_value()) << listed.error();
    std::vector<uint64_t> ids;
    if (listed) {
      for (const ListedNeedle& needle : *listed) ids.push_back(needle.needle_id);
    }
    return ids;
  }

  /// No problem in index or needles, and no leftover file.
  void ExpectSound() {
    const VolumePaths& paths = writer_->volume().paths;
    const auto report = InspectVolume(paths);
    ASSERT_TRUE(report.has_value()) << report.error();
    EXPECT_EQ(report->problems, std::vector<std::string>{});
    const auto verified = VerifyVolume(paths, {});
    ASSERT_TRUE(verified.has_value()) << verified.error();
    EXPECT_EQ(verified->problem_count, 0u);
    for (const char* suffix : {".cpd", ".cpx", ".cpc"}) {
      EXPECT_FALSE(std::filesystem::exists(paths.base + suffix)) << suffix;
    }
  }

  VolumeDirectory directory_;
  uint32_t volume_id_ = 0;
  std::unique_ptr<VolumeWriter> writer_;
};

TEST_F(VacuumTest, LeavesLiveNeedlesByAscendingIdAndRaisesTheRevision) {
  Put(9, "nine");
  Put(3, "three");
  Put(5, "five");
  Put(9, "nine again");
  ASSERT_EQ(writer_->Delete(3), true);
  const VacuumReport report = Run();
  EXPECT_EQ(report.needles_kept, 2u);
  EXPECT_LT(report.bytes_after, report.bytes_before);
  EXPECT_EQ(writer_->volume().superblock.compaction_revision, 1);
  EXPECT_EQ(Ids(), (std::vector<uint64_t>{5, 9}));
  const auto idx = ReadFile(writer_->volume().paths.idx());
  ASSERT_EQ(idx.size(), 32u);
  EXPECT_EQ(ParseIdxRow(&idx[0], 4).needle_id, 5u);
  EXPECT_EQ(ParseIdxRow(&idx[0], 4).offset_units, 1u);
  EXPECT_EQ(ParseIdxRow(&idx[16], 4).needle_id, 9u);
  ExpectSound();
}

TEST_F(VacuumTest, TheWriterGoesOnInTheNewFiles) {
  Put(1, "one");
  Run();
  Put(2, "two");
  ASSERT_EQ(writer_->Delete(1), true);
  EXPECT_EQ(Ids(), (std::vector<uint64_t>{2}));
  Run();
  EXPECT_EQ(writer_->volume().superblock.compaction_revision, 2);
  EXPECT_EQ(Ids(), (std::vector<uint64_t>{2}));
  ExpectSound();
}

TEST_F(VacuumTest, CatchesUpWithWhatWasWrittenMeanwhile) {
  Put(1, "stays");
  Put(2, "is deleted meanwhile");
  Put(3, "is overwritten meanwhile");
  auto vacuum = Vacuum::Compact(*writer_);
  ASSERT_TRUE(vacuum.has_value()) << vacuum.error();
  ASSERT_EQ(writer_->Delete(2), true);
  Put(3, "new");
  Put(4, "added");
  Put(3, "newest");
  const auto report = vacuum->Commit();
  ASSERT_TRUE(report.has_value()) << report.error();
  EXPECT_EQ(report->rows_caught_up, 3u);
  EXPECT_EQ(Ids(), (std::vector<uint64_t>{1, 3, 4}));
  const auto dat = TextOf(ReadFile(writer_->volume().paths.dat()));
  EXPECT_NE(dat.find("newest"), std::string::npos);
  EXPECT_NE(dat.find("\x12\x34\x56\x78"), std::string::npos) << "the cookie of a caught-up delete";
  ExpectSound();
}

TEST_F(VacuumTest, AReaderOfTheOldFilesKeepsAConsistentPair) {
  Put(1, "one");
  Put(2, "two");
  const auto old_volume = Volume::Load(writer_->volume().paths);
  ASSERT_TRUE(old_volume.has_value());
  const auto old_dat = ReadFile(writer_->volume().paths.dat());
  ASSERT_EQ(writer_->Delete(1), true);
  Run();
  struct stat now{};
  ASSERT_EQ(stat(writer_->volume().paths.idx().c_str(), &now), 0);
  EXPECT_NE(FileIdOf(now), (*old_volume)->idx_id);
  ASSERT_EQ(stat(writer_->volume().paths.dat().c_str(), &now), 0);
  EXPECT_NE(FileIdOf(now), (*old_volume)->dat_id);
  std::vector<std::byte> still(old_dat.size());
  ASSERT_EQ(pread((*old_volume)->files->dat.get(), still.data(), still.size(), 0),
            static_cast<ssize_t>(still.size()));
  EXPECT_EQ(still, old_dat);
}

TEST_F(VacuumTest, MakesLegacyChecksumsRawAndKeepsAppendTimes) {
  ASSERT_TRUE(writer_->Append(
      {.needle_id = 1, .data = BytesOfText("data"), .append_at_ns = 77, .legacy_checksum = true}));
  EXPECT_EQ(VerifyVolume(writer_->volume().paths, {})->legacy_checksums, 1u);
  Run();
  EXPECT_EQ(VerifyVolume(writer_->volume().paths, {})->legacy_checksums, 0u);
  const auto dat = ReadFile(writer_->volume().paths.dat());
  const uint64_t footer_at = kSuperblockBytes + kNeedleHeaderBytes + 9;
  EXPECT_EQ(LoadBig<uint32_t>(&dat[footer_at]), Crc32c(0, BytesOfText("data")));
  EXPECT_EQ(LoadBig<uint64_t>(&dat[footer_at + 4]), 77u);
}

TEST_F(VacuumTest, DropsEveryNeedleWithATtlOfAVolumeWithoutOne) {
  ASSERT_TRUE(writer_->Append({.needle_id = 1,
                               .data = BytesOfText("x"),
                               .last_modified_s = 1700000000,
                               .ttl_count = 200,
                               .ttl_unit = 6}));
  Put(2, "stays");
  const VacuumReport report = Run();
  EXPECT_EQ(report.needles_expired, 1u);
  EXPECT_EQ(Ids(), (std::vector<uint64_t>{2}));
}

TEST_F(VacuumTest, KeepsWhatTheVolumesTtlAllows) {
  writer_ = Create({.ttl_count = 200, .ttl_unit = 6});
  ASSERT_TRUE(
      writer_->Append({.needle_id = 1, .data = BytesOfText("x"), .last_modified_s = 1700000000}));
  EXPECT_EQ(Run().needles_expired, 0u);
  EXPECT_EQ(Ids(), (std::vector<uint64_t>{1}));
}

TEST_F(VacuumTest, DropsWhatCannotBeRead) {
  Put(1, "good");
  Put(2, "spoiled");
  const auto dat = OpenToWrite(writer_->volume().paths.dat());
  ASSERT_TRUE(WriteAt(dat->get(), BytesOfText("SPOILED"), writer_->dat_bytes() - 40, "dat"));
  ASSERT_GT(VerifyVolume(writer_->volume().paths, {})->problem_count, 0u);
  const VacuumReport report = Run();
  EXPECT_EQ(report.needles_unreadable, 1u);
  EXPECT_EQ(Ids(), (std::vector<uint64_t>{1}));
  ExpectSound();
}

TEST_F(VacuumTest, WorksForEachVersionAndOffsetWidth) {
  for (const uint8_t version : {uint8_t{1}, uint8_t{2}, uint8_t{3}}) {
    for (const uint32_t offset_bytes : {4u, 5u}) {
      writer_ = Create({.version = version, .offset_bytes = offset_bytes});
      for (uint64_t i = 1; i <= 50; i++) Put(i * 7 % 51, std::string(i, 'x'));
      for (uint64_t i = 1; i <= 50; i += 3) ASSERT_TRUE(writer_->Delete(i));
      const auto before = Ids();
      Run();
      EXPECT_EQ(Ids(), before);
      EXPECT_EQ(InspectVolume(writer_->volume().paths)->garbage_bytes, 0u);
      ExpectSound();
    }
  }
}

TEST_F(VacuumTest, OneThatStopsBetweenTheRenamesLeavesWhatAVolumeServerFinishes) {
  Put(1, "one");
  Put(2, "two");
  ASSERT_EQ(writer_->Delete(1), true);
  const VolumePaths paths = writer_->volume().paths;
  auto vacuum = Vacuum::Compact(*writer_);
  ASSERT_TRUE(vacuum.has_value()) << vacuum.error();
  // Nothing can be renamed over a directory.
  std::filesystem::remove(paths.idx());
  std::filesystem::create_directory(paths.idx());
  EXPECT_FALSE(vacuum->Commit().has_value());
  EXPECT_TRUE(std::filesystem::exists(paths.base + ".cpc"));
  EXPECT_FALSE(std::filesystem::exists(paths.base + ".cpd")) << "the .dat is renamed first";
  ASSERT_TRUE(std::filesystem::exists(paths.base + ".cpx"));
  EXPECT_FALSE(writer_->Append({.needle_id = 3, .data = BytesOfText("x")}).has_value());
  EXPECT_FALSE(writer_->Delete(2).has_value());

  std::filesystem::remove(paths.idx());
  std::filesystem::rename(paths.base + ".cpx", paths.idx());
  std::filesystem::remove(paths.base + ".cpc");
  EXPECT_EQ(Ids(), (std::vector<uint64_t>{2}));
}

TEST_F(VacuumTest, OneThatCannotBePreparedLeavesTheVolumeAlone) {
  Put(1, "one");
  std::filesystem::create_directory(writer_->volume().paths.base + ".cpd");
  EXPECT_FALSE(Vacuum::Compact(*writer_).has_value());
  Put(2, "two");
  EXPECT_EQ(Ids(), (std::vector<uint64_t>{1, 2}));
}

}  // namespace
}  // namespace storage
