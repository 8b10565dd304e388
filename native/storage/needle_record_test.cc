#include "storage/needle_record.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

#include "storage/superblock.h"

namespace storage {
namespace {

using namespace std::string_literals;

std::span<const std::byte> BytesOf(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// The body's part behind the data, with a footer of the padded length that fits it.
std::optional<NeedleTail> Parse(std::string_view fields, uint8_t version = 2) {
  const uint64_t size = kDataSizeBytes + 1 + fields.size();
  const std::string footer(FooterBytes(version, size), '\1');
  return ParseTail(version, size, BytesOf(std::string(fields) + footer));
}

std::string Text(std::string_view fields, const Piece& piece) {
  return std::string(fields.substr(piece.offset, piece.bytes));
}

TEST(NeedleRecord, PaddingIsOneToEightBytesAndNeverNone) {
  for (uint64_t size = 0; size < 64; size++) {
    for (const uint8_t version : {uint8_t{1}, uint8_t{2}, uint8_t{3}}) {
      const uint64_t fixed = version == 3 ? 12 : 4;
      const uint64_t padding = FooterBytes(version, size) - fixed;
      EXPECT_GE(padding, 1u);
      EXPECT_LE(padding, 8u);
      EXPECT_EQ(RecordBytes(version, size) % 8, 0u);
    }
  }
  EXPECT_EQ(FooterBytes(2, 4), 4u + 8);
}

TEST(NeedleRecord, AllFieldsAreParsedInTheirOrder) {
  const auto fields = "\x3e\2ab\3c/d\0\0\0\1\2\5\3\0\4{\"\"}"s;
  const auto tail = Parse(fields, 3);
  ASSERT_TRUE(tail);
  EXPECT_EQ(tail->flags, 0x3e);
  EXPECT_EQ(Text(fields, tail->name), "ab");
  EXPECT_EQ(Text(fields, tail->mime), "c/d");
  EXPECT_EQ(tail->last_modified_s, 0x102u);
  EXPECT_EQ(tail->ttl_count, 5);
  EXPECT_EQ(tail->ttl_unit, 3);
  EXPECT_EQ(Text(fields, tail->pairs), "{\"\"}");
  EXPECT_EQ(tail->checksum, 0x01010101u);
  EXPECT_EQ(tail->append_at_ns, 0x0101010101010101u);
}

TEST(NeedleRecord, AFlagWithoutARemainingByteIsIgnoredAndOneWithTooFewIsCorrupt) {
  EXPECT_TRUE(Parse(""));
  EXPECT_TRUE(Parse("\x2e"s));
  EXPECT_FALSE(Parse("\x02\5abc"s));
  EXPECT_FALSE(Parse("\x04\1"s));
  EXPECT_FALSE(Parse("\x08\0\0\0\0"s));
  EXPECT_FALSE(Parse("\x18\0\0\0\0\1\7"s));
  EXPECT_FALSE(Parse("\x20\0"s));
  EXPECT_FALSE(Parse("\x20\0\5abcd"s));
}

TEST(NeedleRecord, ATtlFlagWithoutItsTtlIsCorruptBecauseTheServerCrashesOnIt) {
  EXPECT_FALSE(Parse("\x10"s));
}

TEST(NeedleRecord, BytesBehindTheLastFieldAreIgnored) {
  const auto tail = Parse("\x02\1nrest"s);
  ASSERT_TRUE(tail);
  EXPECT_EQ(tail->name.bytes, 1u);
}

TEST(NeedleRecord, UnknownFlagsAreKeptAndIgnored) { EXPECT_EQ(Parse("\xc1"s)->flags, 0xc1); }

TEST(NeedleRecord, DataBeyondTheBodyIsRefused) {
  const auto head = std::string(kNeedleHeaderBytes, '\0') + "\0\0\0\5"s;
  EXPECT_EQ(DataPiece(3, 9, BytesOf(head))->bytes, 5u);
  EXPECT_FALSE(DataPiece(3, 8, BytesOf(head)));
  EXPECT_FALSE(DataPiece(3, 3, BytesOf(head)));
  EXPECT_EQ(DataPiece(1, 3, BytesOf(head))->bytes, 3u);
}

TEST(NeedleRecord, AHeaderIsBigEndian) {
  const auto text = "\1\2\3\4\0\0\0\0\0\0\0\x10\xff\xff\xff\xff"s;
  const NeedleHeader header = ParseNeedleHeader(BytesOf(text).first<kNeedleHeaderBytes>());
  EXPECT_EQ(header.cookie, 0x01020304u);
  EXPECT_EQ(header.needle_id, 0x10u);
  EXPECT_EQ(header.size, -1);
}

TEST(Superblock, RoundTripsAndRefusesUnknownVersions) {
  std::array<std::byte, kSuperblockBytes> bytes;
  EncodeSuperblock({.version = 3,
                    .replica_placement = 10,
                    .ttl_count = 5,
                    .ttl_unit = 2,
                    .compaction_revision = 258,
                    .extra_bytes = 7},
                   bytes);
  const auto superblock = ParseSuperblock(bytes);
  ASSERT_TRUE(superblock);
  EXPECT_EQ(superblock->compaction_revision, 258);
  EXPECT_EQ(superblock->extra_bytes, 7);
  EXPECT_EQ(superblock->ttl_unit, 2);
  bytes[0] = std::byte{4};
  EXPECT_FALSE(ParseSuperblock(bytes));
  EXPECT_FALSE(ParseSuperblock(std::span(bytes).first(7)));
}

TEST(Ttl, UnknownUnitsAndACountOfZeroAreNone) {
  EXPECT_EQ(TtlMinutes(3, 1), 3u);
  EXPECT_EQ(TtlMinutes(2, 3), 2880u);
  EXPECT_EQ(TtlMinutes(1, 6), 525600u);
  EXPECT_EQ(TtlMinutes(9, 0), 0u);
  EXPECT_EQ(TtlMinutes(9, 7), 0u);
  EXPECT_EQ(TtlMinutes(0, 3), 0u);
}

}  // namespace
}  // namespace storage
