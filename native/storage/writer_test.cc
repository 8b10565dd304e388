#include "storage/writer.h"

#include <gtest/gtest.h>

#include "storage/crc32c.h"
#include "storage/volume_directory_test.h"
#include "storage/whole_needle.h"

namespace storage {
namespace {

struct Shape {
  uint8_t version;
  uint32_t offset_bytes;
};

class WriterOfEachShape : public testing::TestWithParam<Shape> {
 protected:
  NewVolume Options() const {
    return {.dir = directory_.path(),
            .idx_dir = "",
            .collection = "some_pics",
            .volume_id = 7,
            .version = GetParam().version,
            .offset_bytes = GetParam().offset_bytes};
  }
  VolumeDirectory directory_;
};

INSTANTIATE_TEST_SUITE_P(Shapes, WriterOfEachShape,
                         testing::Values(Shape{1, 4}, Shape{2, 4}, Shape{3, 4}, Shape{3, 5}));

NeedleToWrite Needle(uint64_t needle_id, std::string_view data) {
  return {.needle_id = needle_id,
          .cookie = 0xabcd0000u + static_cast<uint32_t>(needle_id),
          .data = BytesOfText(data),
          .name = BytesOfText("a.txt"),
          .mime = BytesOfText("text/plain"),
          .pairs = BytesOfText(R"({"Color":"red"})"),
          .last_modified_s = 1700000000};
}

/// The data that a reader finds if it starts now.
std::optional<std::string> DataOf(const VolumePaths& paths, uint64_t needle_id) {
  const auto volume = Volume::Load(paths);
  EXPECT_TRUE(volume.has_value()) << volume.error().detail;
  if (!volume) return std::nullopt;
  const auto place = (*volume)->map.Find(needle_id);
  if (!place || place->size < 0) return std::nullopt;
  std::vector<std::byte> buffer;
  const DatFile dat{(*volume)->files->dat.get(), ReadFile(paths.dat()).size(),
                    (*volume)->superblock.version, (*volume)->info.offset_bytes};
  const NeedleRead read = ReadWholeNeedle(dat, *place, buffer);
  EXPECT_EQ(read.fault, NeedleFault::kNone) << FaultText(read.fault);
  return TextOf(read.needle.data);
}

TEST_P(WriterOfEachShape, WritesWhatAReaderFindsAtOnce) {
  auto writer = VolumeWriter::Create(Options());
  ASSERT_TRUE(writer.has_value()) << writer.error();
  const VolumePaths& paths = (*writer)->volume().paths;
  ASSERT_TRUE((*writer)->Append(Needle(1, "first")));
  ASSERT_TRUE((*writer)->Append(Needle(UINT64_MAX, "last id")));
  EXPECT_EQ(DataOf(paths, 1), "first");
  EXPECT_EQ(DataOf(paths, UINT64_MAX), "last id");
  ASSERT_TRUE((*writer)->Append(Needle(1, "second")));
  EXPECT_EQ(DataOf(paths, 1), "second");
  EXPECT_EQ((*writer)->Delete(1), true);
  EXPECT_EQ(DataOf(paths, 1), std::nullopt);
  EXPECT_EQ(DataOf(paths, UINT64_MAX), "last id");
}

TEST_P(WriterOfEachShape, ADeletedNeedleHasARowOfSizeMinusOneAtTheDeleteRecord) {
  auto writer = VolumeWriter::Create(Options());
  ASSERT_TRUE(writer.has_value()) << writer.error();
  const auto& volume = (*writer)->volume();
  ASSERT_TRUE((*writer)->Append(Needle(5, "data")));
  const uint64_t delete_at = (*writer)->dat_bytes();
  ASSERT_EQ((*writer)->Delete(5), true);
  const auto idx = ReadFile(volume.paths.idx());
  ASSERT_EQ(idx.size(), 2 * volume.row_bytes());
  const IdxRow row = ParseIdxRow(&idx[volume.row_bytes()], volume.info.offset_bytes);
  EXPECT_EQ(row.needle_id, 5u);
  EXPECT_EQ(row.size, -1);
  EXPECT_EQ(row.offset_units * 8, delete_at);
  const auto dat = ReadFile(volume.paths.dat());
  ASSERT_EQ(dat.size(), delete_at + RecordBytes(GetParam().version, 0));
  const auto header =
      ParseNeedleHeader(std::span(dat).subspan(delete_at).first<kNeedleHeaderBytes>());
  EXPECT_EQ(header.size, 0);
  EXPECT_EQ(header.needle_id, 5u);
  EXPECT_EQ(header.cookie, 0xabcd0005u);
}

TEST_P(WriterOfEachShape, DeletingWhatIsNotThereWritesNothing) {
  auto writer = VolumeWriter::Create(Options());
  ASSERT_TRUE(writer.has_value()) << writer.error();
  ASSERT_TRUE((*writer)->Append(Needle(5, "data")));
  ASSERT_EQ((*writer)->Delete(5), true);
  const uint64_t dat_bytes = (*writer)->dat_bytes();
  EXPECT_EQ((*writer)->Delete(5), false);
  EXPECT_EQ((*writer)->Delete(6), false);
  EXPECT_EQ((*writer)->dat_bytes(), dat_bytes);
  EXPECT_EQ(ReadFile((*writer)->volume().paths.dat()).size(), dat_bytes);
}

TEST_P(WriterOfEachShape, GoesOnWhereAnEarlierWriterStopped) {
  VolumePaths paths;
  {
    auto writer = VolumeWriter::Create(Options());
    ASSERT_TRUE(writer.has_value()) << writer.error();
    paths = (*writer)->volume().paths;
    ASSERT_TRUE((*writer)->Append(Needle(1, "kept")));
  }
  auto writer = VolumeWriter::Open(paths);
  ASSERT_TRUE(writer.has_value()) << writer.error();
  EXPECT_EQ((*writer)->volume().superblock.version, GetParam().version);
  ASSERT_TRUE((*writer)->Append(Needle(2, "added")));
  EXPECT_EQ(DataOf(paths, 1), "kept");
  EXPECT_EQ(DataOf(paths, 2), "added");
}

class WriterTest : public testing::Test {
 protected:
  NewVolume Options() const {
    return {.dir = directory_.path(), .idx_dir = "", .collection = "", .volume_id = 3};
  }
  VolumeDirectory directory_;
};

TEST_F(WriterTest, KeepsAllFieldsOfANeedle) {
  auto writer = VolumeWriter::Create(Options());
  ASSERT_TRUE(writer.has_value()) << writer.error();
  NeedleToWrite needle = Needle(1, "data");
  needle.flags = kCompressed | kManifest;
  needle.ttl_count = 9;
  needle.ttl_unit = 3;
  needle.append_at_ns = 12345;
  const auto written = (*writer)->Append(needle);
  ASSERT_TRUE(written.has_value());
  std::vector<std::byte> buffer;
  const auto dat = OpenToWrite((*writer)->volume().paths.dat());
  const NeedleRead read = ReadWholeNeedle({dat->get(), (*writer)->dat_bytes(), 3, 4},
                                          {written->offset / 8, written->size}, buffer);
  ASSERT_EQ(read.fault, NeedleFault::kNone);
  const NeedleTail& tail = read.needle.tail;
  EXPECT_EQ(tail.flags, 0x81 | 0x3e);
  EXPECT_EQ(TextOf(read.needle.Of(tail.name)), "a.txt");
  EXPECT_EQ(TextOf(read.needle.Of(tail.mime)), "text/plain");
  EXPECT_EQ(TextOf(read.needle.Of(tail.pairs)), R"({"Color":"red"})");
  EXPECT_EQ(tail.last_modified_s, 1700000000u);
  EXPECT_EQ(tail.ttl_count, 9);
  EXPECT_EQ(tail.ttl_unit, 3);
  EXPECT_EQ(tail.append_at_ns, 12345u);
  EXPECT_EQ(tail.checksum, Crc32c(0, BytesOfText("data")));
}

TEST_F(WriterTest, StoresTheLegacyFormOfAChecksum) {
  auto writer = VolumeWriter::Create(Options());
  ASSERT_TRUE(writer.has_value()) << writer.error();
  NeedleToWrite needle{.needle_id = 1, .cookie = 2, .data = BytesOfText("data")};
  needle.legacy_checksum = true;
  const auto written = (*writer)->Append(needle);
  ASSERT_TRUE(written.has_value());
  const auto dat = ReadFile((*writer)->volume().paths.dat());
  const uint64_t at = written->offset + kNeedleHeaderBytes + static_cast<uint64_t>(written->size);
  EXPECT_EQ(LoadBig<uint32_t>(&dat[at]), LegacyChecksum(Crc32c(0, needle.data)));
  EXPECT_EQ(DataOf((*writer)->volume().paths, 1), "data");
}

TEST_F(WriterTest, ANeedleWithoutItsOwnTtlHasThatOfTheVolume) {
  NewVolume options = Options();
  options.ttl_count = 5;
  options.ttl_unit = 6;
  auto writer = VolumeWriter::Create(options);
  ASSERT_TRUE(writer.has_value()) << writer.error();
  const auto written = (*writer)->Append({.needle_id = 1, .data = BytesOfText("x")});
  ASSERT_TRUE(written.has_value());
  const auto dat = ReadFile((*writer)->volume().paths.dat());
  const uint64_t flags_at = written->offset + kNeedleHeaderBytes + kDataSizeBytes + 1;
  EXPECT_EQ(dat[flags_at], std::byte{kHasTtlField});
  EXPECT_EQ(dat[flags_at + 1], std::byte{5});
  EXPECT_EQ(dat[flags_at + 2], std::byte{6});
}

TEST_F(WriterTest, WritesTheInfoFileThatTheReaderUnderstands) {
  NewVolume options = Options();
  options.version = 2;
  options.offset_bytes = 5;
  const auto writer = VolumeWriter::Create(options);
  ASSERT_TRUE(writer.has_value()) << writer.error();
  EXPECT_EQ((*writer)->volume().info.offset_bytes, 5u);
  EXPECT_EQ((*writer)->volume().info.version, 2u);
}

TEST_F(WriterTest, FilesThatExistAreNotTouchedByCreate) {
  std::ofstream(directory_.File("3.vif")) << "{}";
  const auto writer = VolumeWriter::Create(Options());
  ASSERT_FALSE(writer.has_value());
  EXPECT_NE(writer.error().find("3.vif"), std::string::npos) << writer.error();
  EXPECT_FALSE(std::filesystem::exists(directory_.File("3.dat")));
  EXPECT_EQ(ReadFile(directory_.File("3.vif")).size(), 2u);
}

TEST_F(WriterTest, ASecondWriterIsRefused) {
  const auto first = VolumeWriter::Create(Options());
  ASSERT_TRUE(first.has_value());
  const auto second = VolumeWriter::Open((*first)->volume().paths);
  ASSERT_FALSE(second.has_value());
  EXPECT_NE(second.error().find("another writer"), std::string::npos) << second.error();
}

TEST_F(WriterTest, ARecordThatWasCutOffIsNotWrittenBehind) {
  {
    ASSERT_TRUE(VolumeWriter::Create(Options()));
  }
  std::ofstream(directory_.File("3.dat"), std::ios::app) << "abc";
  const auto writer = VolumeWriter::Open(PathsOf(directory_.path(), "", "", 3));
  ASSERT_FALSE(writer.has_value());
  EXPECT_NE(writer.error().find("multiple of 8"), std::string::npos) << writer.error();
}

TEST_F(WriterTest, TheIndexMayLieInItsOwnDirectory) {
  const VolumeDirectory idx_directory;
  NewVolume options = Options();
  options.idx_dir = idx_directory.path();
  auto writer = VolumeWriter::Create(options);
  ASSERT_TRUE(writer.has_value()) << writer.error();
  ASSERT_TRUE((*writer)->Append(Needle(1, "data")));
  EXPECT_TRUE(std::filesystem::exists(idx_directory.File("3.idx")));
  EXPECT_FALSE(std::filesystem::exists(directory_.File("3.idx")));
}

TEST_F(WriterTest, WhatDoesNotFitARecordIsRefusedAndWritesNothing) {
  auto writer = VolumeWriter::Create(Options());
  ASSERT_TRUE(writer.has_value()) << writer.error();
  const std::string long_name(256, 'n');
  EXPECT_FALSE((*writer)->Append(
      {.needle_id = 1, .data = BytesOfText("x"), .name = BytesOfText(long_name)}));
  EXPECT_EQ(ReadFile(directory_.File("3.dat")).size(), kSuperblockBytes);
  EXPECT_EQ(ReadFile(directory_.File("3.idx")).size(), 0u);
}

}  // namespace
}  // namespace storage
