#include "storage/needle_encode.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "storage/crc32c.h"
#include "storage/volume.h"
#include "storage/volume_directory_test.h"
#include "storage/whole_needle.h"

namespace storage {
namespace {

NeedleFields FieldsAsRead(const WholeNeedle& needle) {
  const NeedleTail& tail = needle.tail;
  return {.needle_id = needle.header.needle_id,
          .cookie = needle.header.cookie,
          .flags = tail.flags,
          .ttl_count = tail.ttl_count,
          .ttl_unit = tail.ttl_unit,
          .checksum = tail.checksum,
          .last_modified_s = tail.last_modified_s,
          .append_at_ns = tail.append_at_ns,
          .data = needle.data,
          .name = needle.Of(tail.name),
          .mime = needle.Of(tail.mime),
          .pairs = needle.Of(tail.pairs)};
}

/// Live needles whose record, encoded again, differs in a byte other than padding; counts those
/// compared.
std::vector<uint64_t> NeedlesThatDiffer(std::string_view collection, uint32_t volume_id,
                                        uint64_t& compared) {
  const auto volume = Volume::Load(PathsOf(RecordedVolumes("main"), "", collection, volume_id));
  EXPECT_TRUE(volume.has_value());
  if (!volume) return {};
  const std::vector<std::byte> dat = ReadFile((*volume)->paths.dat());
  const uint8_t version = (*volume)->superblock.version;
  std::vector<uint64_t> differing;
  std::vector<std::byte> buffer;
  for (const auto& item : (*volume)->map.Items()) {
    if (item.place.size < 0) continue;
    const NeedleRead read =
        ReadWholeNeedle({(*volume)->files->dat.get(), dat.size(), version, 4}, item.place, buffer);
    EXPECT_EQ(read.fault, NeedleFault::kNone) << item.needle_id;
    if (read.fault != NeedleFault::kNone) continue;
    std::vector<std::byte> encoded;
    EncodeNeedle(version, FieldsAsRead(read.needle), encoded);
    const auto size = static_cast<uint64_t>(item.place.size);
    const uint64_t meant = kNeedleHeaderBytes + size + (version == 3 ? 12 : 4);
    compared++;
    const bool is_same = encoded.size() == RecordBytes(version, size) &&
                         std::equal(encoded.begin(), encoded.begin() + static_cast<long>(meant),
                                    dat.begin() + static_cast<long>(item.place.offset_units * 8));
    if (!is_same) differing.push_back(item.needle_id);
  }
  return differing;
}

TEST(EncodeNeedle, WritesEveryRecordOfTheRecordedVolumesAsTheVolumeServerDid) {
  uint64_t compared = 0;
  for (const uint32_t volume_id : {1u, 2u, 3u, 4u, 5u}) {
    EXPECT_EQ(NeedlesThatDiffer("", volume_id, compared), std::vector<uint64_t>{}) << volume_id;
  }
  EXPECT_EQ(NeedlesThatDiffer("my_pics", 6, compared), std::vector<uint64_t>{});
  EXPECT_GT(compared, 100u);
}

TEST(EncodeNeedle, WritesVersionOneWithoutFields) {
  std::vector<std::byte> record;
  EncodeNeedle(1, {.needle_id = 7, .cookie = 9, .checksum = 0x01020304, .data = BytesOfText("abc")},
               record);
  EXPECT_EQ(TextOf(std::span(record).subspan(16, 3)), "abc");
  EXPECT_EQ(record.size(), RecordBytes(1, 3));
  EXPECT_EQ(record[19], std::byte{1});
  EXPECT_EQ(record[22], std::byte{4});
}

TEST(EncodeNeedle, DropsEveryFieldOfANeedleWithoutData) {
  const NeedleFields fields{.needle_id = 7, .flags = kHasName, .name = BytesOfText("name")};
  EXPECT_EQ(BodyBytes(3, fields), 0u);
  std::vector<std::byte> record;
  EncodeNeedle(3, fields, record);
  EXPECT_EQ(record.size(), RecordBytes(3, 0));
  EXPECT_EQ(std::ranges::count(record, std::byte{'n'}), 0);
}

TEST(EncodeNeedle, PadsWithOneToEightZeros) {
  for (uint64_t length = 1; length <= 16; length++) {
    std::vector<std::byte> data(length, std::byte{0xff});
    std::vector<std::byte> record;
    EncodeNeedle(2, {.checksum = UINT32_MAX, .data = data}, record);
    EXPECT_EQ(record.size() % kNeedleAlignment, 0u);
    const uint64_t meant = kNeedleHeaderBytes + 4 + length + 1 + 4;
    ASSERT_GT(record.size(), meant);
    EXPECT_LE(record.size() - meant, 8u);
    EXPECT_EQ(record.back(), std::byte{0});
  }
}

TEST(IsEncodable, RefusesWhatAFieldCannotHold) {
  const std::string long_text(256, 'x');
  const std::string long_pairs(65536, 'x');
  const auto data = BytesOfText("data");
  EXPECT_TRUE(
      IsEncodable(3, {.flags = kHasName, .data = data, .name = BytesOfText(long_text).first(255)}));
  EXPECT_FALSE(IsEncodable(3, {.flags = kHasName, .data = data, .name = BytesOfText(long_text)}));
  EXPECT_FALSE(IsEncodable(3, {.flags = kHasMime, .data = data, .mime = BytesOfText(long_text)}));
  EXPECT_FALSE(
      IsEncodable(3, {.flags = kHasPairs, .data = data, .pairs = BytesOfText(long_pairs)}));
  EXPECT_FALSE(IsEncodable(3, {.last_modified_s = 1ull << 40, .data = data}));
}

}  // namespace
}  // namespace storage
