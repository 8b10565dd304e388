#include "storage/crc32c.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace storage {
namespace {

std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

TEST(Crc32c, GivesThePublishedCheckValue) {
  EXPECT_EQ(Crc32c(0, Bytes("123456789")), 0xe3069283u);
  EXPECT_EQ(Crc32cTable(0, Bytes("123456789")), 0xe3069283u);
  EXPECT_EQ(Crc32c(0, {}), 0u);
}

TEST(Crc32c, AgreesWithTheTableAtEveryLengthAndAlignment) {
  std::mt19937 random(1);
  std::vector<std::byte> bytes(20000);
  for (auto& byte : bytes) byte = static_cast<std::byte>(random());
  for (size_t length = 0; length < bytes.size() - 8; length += 1 + length / 40) {
    const auto part = std::span(bytes).subspan(length % 8, length);
    ASSERT_EQ(Crc32c(0, part), Crc32cTable(0, part)) << length;
  }
}

TEST(Crc32c, ContinuesWhereItStopped) {
  const auto text = Bytes("a needle in pieces");
  const uint32_t first = Crc32c(0, text.first(7));
  EXPECT_EQ(Crc32c(first, text.subspan(7)), Crc32c(0, text));
}

TEST(Checksum, BothStoredFormsMatchAndNothingElseDoes) {
  const uint32_t crc = Crc32c(0, Bytes("hello"));
  EXPECT_TRUE(ChecksumMatches(crc, crc));
  EXPECT_TRUE(ChecksumMatches(LegacyChecksum(crc), crc));
  EXPECT_FALSE(ChecksumMatches(crc ^ 1, crc));
}

}  // namespace
}  // namespace storage
