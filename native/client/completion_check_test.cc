#include "client/completion_check.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "storage/crc32c.h"

namespace client {
namespace {

using protocol::Status;

constexpr uint64_t kTotal = 1000;

ReadCommand Command() {
  return {.needle_id = 1,
          .volume_id = 2,
          .cookie = 3,
          .offset = 0,
          .length = kTotal,
          .whole_bytes_max = 4096,
          .budget_bytes = 4096,
          .timeout_ns = 1,
          .metadata_only = false};
}

protocol::ReadReply WholeReply() {
  protocol::ReadReply reply{};
  reply.data_bytes_total = reply.data_length = kTotal;
  reply.reply_flags = protocol::kWhole;
  reply.volume_version = 3;
  reply.name_bytes = 5;
  reply.mime_bytes = 6;
  reply.pairs_bytes = 7;
  return reply;
}
constexpr uint64_t kPayload = kTotal + 5 + 6 + 7;

protocol::ReadReply SliceReply(uint64_t offset, uint64_t length) {
  protocol::ReadReply reply = WholeReply();
  reply.reply_flags = 0;
  reply.data_offset = offset;
  reply.data_length = length;
  return reply;
}

Status Checked(const ReadCommand& command, const protocol::ReadReply& reply,
               uint64_t payload_bytes) {
  const auto checked = CheckReadReply(command, reply, payload_bytes);
  return checked ? Status::ok : checked.error();
}

TEST(CheckReadReply, TakesWhatWasAskedFor) {
  EXPECT_EQ(Checked(Command(), WholeReply(), kPayload), Status::ok);
  ReadCommand slice = Command();
  slice.whole_bytes_max = 999;
  slice.offset = 100;
  slice.length = 50;
  EXPECT_EQ(Checked(slice, SliceReply(100, 50), 50 + 18), Status::ok);
  slice.offset = 990;
  EXPECT_EQ(Checked(slice, SliceReply(990, 10), 10 + 18), Status::ok);
  slice.offset = 2000;
  EXPECT_EQ(Checked(slice, SliceReply(1000, 0), 18), Status::ok);
  ReadCommand metadata = Command();
  metadata.metadata_only = true;
  EXPECT_EQ(Checked(metadata, SliceReply(0, 0), 18), Status::ok);
}

TEST(CheckReadReply, RefusesEachContradiction) {
  using Spoil = std::function<void(protocol::ReadReply&)>;
  const Spoil spoils[] = {
      [](auto& reply) { reply.status = 18; },  // no such status
      [](auto& reply) { reply.status = 64; },  // not a target's to say
      [](auto& reply) { reply.status = 1; },   // a failure with a payload
      [](auto& reply) { reply.reply_flags |= 8; },
      [](auto& reply) { reply.volume_version = 0; },
      [](auto& reply) { reply.volume_version = 4; },
      [](auto& reply) { ++reply.name_bytes; },
      [](auto& reply) { ++reply.mime_bytes; },
      [](auto& reply) { ++reply.pairs_bytes; },
      [](auto& reply) { reply.data_length = ~uint64_t{0}; },
      [](auto& reply) { --reply.data_length; },
      [](auto& reply) { reply.data_offset = ~uint64_t{0}; },
      [](auto& reply) { reply.data_offset = 1; },
      [](auto& reply) { reply.data_bytes_total = ~uint64_t{0}; },
      [](auto& reply) { ++reply.data_bytes_total; },
      [](auto& reply) { reply.reply_flags = 0; },  // small enough to be whole, but a slice
      [](auto& reply) {
        reply.pairs_bytes = 65536;
        reply.data_length -= 65529;
      },
  };
  for (size_t i = 0; i < std::size(spoils); ++i) {
    protocol::ReadReply reply = WholeReply();
    spoils[i](reply);
    EXPECT_EQ(Checked(Command(), reply, kPayload), Status::protocol_error) << i;
  }
}

TEST(CheckReadReply, RefusesAnotherSliceThanTheOneAskedFor) {
  ReadCommand slice = Command();
  slice.whole_bytes_max = 0;
  slice.offset = 100;
  slice.length = 50;
  EXPECT_EQ(Checked(slice, SliceReply(101, 50), 68), Status::protocol_error);
  EXPECT_EQ(Checked(slice, SliceReply(100, 49), 67), Status::protocol_error);
  EXPECT_EQ(Checked(slice, SliceReply(100, 51), 69), Status::protocol_error);
  slice.budget_bytes = 49;
  EXPECT_EQ(Checked(slice, SliceReply(100, 50), 68), Status::protocol_error);
  slice.metadata_only = true;
  EXPECT_EQ(Checked(slice, SliceReply(100, 50), 68), Status::protocol_error);
}

TEST(CheckReadReply, HandsOnTheTargetsStatus) {
  protocol::ReadReply reply{};
  reply.status = static_cast<uint16_t>(Status::deleted);
  EXPECT_EQ(Checked(Command(), reply, 0), Status::deleted);
}

class CheckReadBytesTest : public testing::Test {
 protected:
  std::vector<std::byte> payload_ = std::vector<std::byte>(kPayload, std::byte{7});
  uint32_t crc_ = storage::Crc32c(0, std::span(payload_).first(kTotal));
  protocol::ReadReply reply_ = WholeReply();
};

TEST_F(CheckReadBytesTest, GivesTheComputedChecksumOfAWholeNeedleInEitherStoredForm) {
  reply_.checksum = crc_;
  EXPECT_EQ(CheckReadBytes(reply_, payload_), crc_);
  reply_.checksum = storage::LegacyChecksum(crc_);
  EXPECT_EQ(CheckReadBytes(reply_, payload_), crc_);
}

TEST_F(CheckReadBytesTest, GivesTheStoredChecksumOfAStreamNeedle) {
  reply_.reply_flags |= protocol::kStream;
  reply_.checksum = storage::LegacyChecksum(crc_);
  EXPECT_EQ(CheckReadBytes(reply_, payload_), storage::LegacyChecksum(crc_));
  reply_.checksum = crc_ + 1;
  EXPECT_EQ(CheckReadBytes(reply_, payload_).error(), Status::corrupt);
}

TEST_F(CheckReadBytesTest, FindsEveryFlippedBitOfTheData) {
  reply_.checksum = crc_;
  for (size_t i = 0; i < kTotal; i += 37) {
    payload_[i] ^= std::byte{1};
    EXPECT_EQ(CheckReadBytes(reply_, payload_).error(), Status::corrupt) << i;
    payload_[i] ^= std::byte{1};
  }
}

TEST_F(CheckReadBytesTest, ChecksASliceAgainstItsOwnChecksum) {
  reply_.reply_flags = 0;
  reply_.checksum = 99;
  reply_.data_crc32c = crc_;
  EXPECT_EQ(CheckReadBytes(reply_, payload_), 99u);
  payload_[1] = std::byte{0};
  EXPECT_EQ(CheckReadBytes(reply_, payload_).error(), Status::corrupt);
}

}  // namespace
}  // namespace client
