#include "storage/inspect.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "storage/needle_record.h"
#include "storage/volume_directory_test.h"
#include "storage/writer.h"

namespace storage {
namespace {

class InspectTest : public testing::Test {
 protected:
  void SetUp() override {
    auto writer = VolumeWriter::Create({.dir = directory_.path(),
                                        .idx_dir = "",
                                        .collection = "c",
                                        .volume_id = 4,
                                        .replica_placement = 12});
    ASSERT_TRUE(writer.has_value()) << writer.error();
    writer_ = std::move(*writer);
    paths_ = writer_->volume().paths;
    for (uint64_t id = 1; id <= 4; id++) {
      ASSERT_TRUE(
          writer_->Append({.needle_id = id, .cookie = 100, .data = BytesOfText("12345678")}));
    }
    ASSERT_EQ(writer_->Delete(4), true);
  }

  /// Overwrites bytes of the .dat behind the writer's back.
  void Spoil(uint64_t offset, std::string_view bytes) {
    const auto dat = OpenToWrite(paths_.dat());
    ASSERT_TRUE(WriteAt(dat->get(), BytesOfText(bytes), offset, paths_.dat()));
  }

  bool HasProblem(std::string_view text) {
    const auto report = InspectVolume(paths_);
    EXPECT_TRUE(report.has_value());
    return report && std::ranges::any_of(report->problems, [&](const std::string& problem) {
             return problem.find(text) != std::string::npos;
           });
  }

  std::vector<NeedleProblem> Problems() {
    const auto report = VerifyVolume(paths_, {});
    EXPECT_TRUE(report.has_value()) << report.error();
    return report ? report->problems : std::vector<NeedleProblem>{};
  }

  VolumeDirectory directory_;
  VolumePaths paths_;
  std::unique_ptr<VolumeWriter> writer_;
};

TEST_F(InspectTest, CountsRowsNeedlesAndBytes) {
  const auto report = InspectVolume(paths_);
  ASSERT_TRUE(report.has_value()) << report.error();
  EXPECT_EQ(report->problems, std::vector<std::string>{});
  ASSERT_TRUE(report->superblock && report->info);
  EXPECT_EQ(report->superblock->replica_placement, 12);
  EXPECT_EQ(report->put_rows, 4u);
  EXPECT_EQ(report->delete_rows, 1u);
  EXPECT_EQ(report->live_count, 3u);
  EXPECT_EQ(report->deleted_count, 1u);
  const uint64_t record_bytes = RecordBytes(3, 13);
  EXPECT_EQ(report->live_bytes, 3 * record_bytes);
  EXPECT_EQ(report->garbage_bytes, record_bytes + RecordBytes(3, 0));
  EXPECT_EQ(report->dat_bytes, kSuperblockBytes + report->live_bytes + report->garbage_bytes);
}

TEST_F(InspectTest, FindsNoFaultInTheRecordedVolumes) {
  for (const uint32_t volume_id : {1u, 2u, 4u, 5u}) {
    const VolumePaths paths = PathsOf(RecordedVolumes("main"), "", "", volume_id);
    EXPECT_EQ(InspectVolume(paths)->problems, std::vector<std::string>{}) << volume_id;
    EXPECT_EQ(VerifyVolume(paths, {})->problem_count, 0u) << volume_id;
  }
}

TEST_F(InspectTest, NamesWhatTheVolumeServerWouldStumbleOver) {
  EXPECT_FALSE(HasProblem("goes on for"));
  Spoil(writer_->dat_bytes(), "12345678");
  EXPECT_TRUE(HasProblem("goes on for 8 bytes"));
  std::filesystem::resize_file(paths_.dat(), writer_->dat_bytes() - 8);
  EXPECT_TRUE(HasProblem("1 rows of the .idx point past the end"));
  std::ofstream(paths_.base + ".cpd") << "x";
  EXPECT_TRUE(HasProblem("a vacuum is running"));
  std::ofstream(paths_.idx(), std::ios::app) << "torn";
  EXPECT_TRUE(HasProblem("not a multiple of a row"));
}

TEST_F(InspectTest, TellsOfTheSuperblockOfAVolumeThatCannotBeLoaded) {
  std::ofstream(paths_.base + ".cpc") << "";
  const auto report = InspectVolume(paths_);
  ASSERT_TRUE(report.has_value());
  ASSERT_TRUE(report->superblock.has_value());
  EXPECT_EQ(report->superblock->version, 3);
  EXPECT_EQ(report->live_count, 0u);
  EXPECT_EQ(report->problems.size(), 2u);
}

TEST_F(InspectTest, AVolumeThatIsNotThereIsAnError) {
  const auto report = InspectVolume(PathsOf(directory_.path(), "", "", 99));
  ASSERT_FALSE(report.has_value());
  EXPECT_NE(report.error().find("no such volume"), std::string::npos);
}

TEST_F(InspectTest, ListsLiveNeedlesUpToABound) {
  const auto listed = ListNeedles(paths_, 2);
  ASSERT_TRUE(listed.has_value()) << listed.error();
  ASSERT_EQ(listed->size(), 2u);
  EXPECT_EQ(listed->at(0).needle_id, 1u);
  EXPECT_EQ(listed->at(0).cookie, 100u);
  EXPECT_EQ(listed->at(0).offset, kSuperblockBytes);
  EXPECT_EQ(listed->at(0).size, 13);
  EXPECT_EQ(ListNeedles(paths_, 100)->size(), 3u);
}

TEST_F(InspectTest, VerifyReportsProgressUpToTheEnd) {
  VerifyProgress last{};
  const auto report =
      VerifyVolume(paths_, [&](const VerifyProgress& progress) { last = progress; });
  ASSERT_TRUE(report.has_value()) << report.error();
  EXPECT_EQ(report->needles_checked, 3u);
  EXPECT_EQ(last.needles_done, 3u);
  EXPECT_EQ(last.needles_total, 3u);
  EXPECT_EQ(last.bytes_done, report->bytes_checked);
}

TEST_F(InspectTest, VerifyFindsEachKindOfFault) {
  const uint64_t record_bytes = RecordBytes(3, 13);
  EXPECT_TRUE(Problems().empty());
  Spoil(kSuperblockBytes + kNeedleHeaderBytes + kDataSizeBytes, "X");
  Spoil(kSuperblockBytes + record_bytes + 15, "X");
  const std::string too_long("\x00\x00\xff\xff", 4);
  Spoil(kSuperblockBytes + 2 * record_bytes + kNeedleHeaderBytes, too_long);
  const auto problems = Problems();
  ASSERT_EQ(problems.size(), 3u);
  EXPECT_EQ(problems[0].needle_id, 1u);
  EXPECT_EQ(problems[0].offset, kSuperblockBytes);
  EXPECT_NE(problems[0].text.find("checksum"), std::string::npos);
  EXPECT_NE(problems[1].text.find("another size"), std::string::npos);
  EXPECT_NE(problems[2].text.find("does not fit"), std::string::npos);
  std::filesystem::resize_file(paths_.dat(), kSuperblockBytes + record_bytes);
  EXPECT_NE(Problems()[1].text.find("ends before"), std::string::npos);
}

TEST_F(InspectTest, VerifyNamesARecordOfAnotherNeedle) {
  Spoil(kSuperblockBytes + 4 + 7, "\x77");
  const auto problems = Problems();
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].text, "the record is that of needle 119");
}

TEST_F(InspectTest, VerifyBoundsItsList) {
  for (uint64_t id = 10; id < 10 + 2 * kProblemsMax; id++) {
    ASSERT_TRUE(writer_->Append({.needle_id = id, .data = BytesOfText("12345678")}));
  }
  std::filesystem::resize_file(paths_.dat(), kSuperblockBytes + 3 * RecordBytes(3, 13));
  const auto report = VerifyVolume(paths_, {});
  ASSERT_TRUE(report.has_value()) << report.error();
  EXPECT_EQ(report->problem_count, 2 * kProblemsMax);
  EXPECT_EQ(report->problems.size(), kProblemsMax);
}

}  // namespace
}  // namespace storage
