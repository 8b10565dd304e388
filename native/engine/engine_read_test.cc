#include <fcntl.h>

#include <ctime>

#include "engine/engine_fixture_test.h"
#include "storage/crc32c.h"

namespace engine {
namespace {

using protocol::Status;

constexpr uint64_t kMiB = 1 << 20;

class EngineRead : public EngineTest {
 protected:
  void Put(storage::VolumeWriter& writer, uint64_t id, uint32_t cookie, std::string_view data) {
    ASSERT_TRUE(writer.Append({.needle_id = id, .cookie = cookie, .data = AsBytes(data)}));
  }
};

TEST_F(EngineRead, AWholeNeedleComesWithItsMetadataInOnePiece) {
  const auto writer = Write({.volume_id = 3});
  ASSERT_TRUE(writer->Append({.needle_id = 7,
                              .cookie = 9,
                              .data = AsBytes("hello"),
                              .name = AsBytes("a.txt"),
                              .mime = AsBytes("text/plain"),
                              .pairs = AsBytes("{\"Seaweed-A\":\"b\"}"),
                              .last_modified_s = 1700000000}));
  Start();
  const Reply reply = AskLoaded(3, 7, 9);
  ASSERT_EQ(reply.status, Status::ok);
  EXPECT_EQ(reply.data, "hello");
  EXPECT_EQ(reply.name, "a.txt");
  EXPECT_EQ(reply.mime, "text/plain");
  EXPECT_EQ(reply.pairs, "{\"Seaweed-A\":\"b\"}");
  EXPECT_EQ(reply.header.last_modified_s, 1700000000u);
  EXPECT_EQ(reply.header.checksum, storage::Crc32c(0, AsBytes("hello")));
  EXPECT_EQ(reply.header.reply_flags, protocol::kWhole);
  EXPECT_EQ(reply.header.volume_version, 3);
  EXPECT_EQ(reply.header.position, 16u);
  EXPECT_GT(reply.header.append_at_ns, 0u);
}

TEST_F(EngineRead, EveryNegativeAnswerHasItsStatusAndNoByteOfData) {
  const auto writer = Write({.volume_id = 3});
  Put(*writer, 1, 10, "one");
  Put(*writer, 2, 20, "two");
  Put(*writer, 3, 30, "");
  ASSERT_TRUE(writer->Delete(2));
  Start();
  EXPECT_EQ(AskLoaded(3, 1, 10).status, Status::ok);
  const Reply mismatch = AskLoaded(3, 1, 11);
  EXPECT_EQ(mismatch.status, Status::cookie_mismatch);
  EXPECT_EQ(mismatch.data, "");
  EXPECT_EQ(AskLoaded(3, 2, 20).status, Status::deleted);
  EXPECT_EQ(AskLoaded(3, 3, 30).status, Status::empty);
  EXPECT_EQ(AskLoaded(3, 4, 40).status, Status::not_found);
  EXPECT_EQ(AskLoaded(4, 1, 10).status, Status::unknown_volume);
  auto late = Command(3, 1, 10);
  late.deadline_ns = 1;
  EXPECT_EQ(Ask(late).status, Status::deadline);
  auto small = Command(3, 1, 10);
  small.budget_bytes = 2;
  EXPECT_EQ(Ask(small).status, Status::too_large);
}

TEST_F(EngineRead, VersionOneNeedlesHaveDataAlone) {
  const auto writer = Write({.collection = "old", .volume_id = 5, .version = 1});
  Put(*writer, 1, 2, "plain");
  Put(*writer, 2, 2, Pattern(kMiB + 1));
  Start();
  const Reply reply = AskLoaded(5, 1, 2);
  EXPECT_EQ(reply.status, Status::ok);
  EXPECT_EQ(reply.data, "plain");
  EXPECT_EQ(reply.header.needle_flags, 0);
  EXPECT_EQ(AskLoaded(5, 2, 2).status, Status::unsupported_volume);
}

TEST_F(EngineRead, FiveByteOffsetsAreRead) {
  const auto writer = Write({.volume_id = 5, .offset_bytes = 5});
  Put(*writer, 1, 2, "wide");
  Start();
  EXPECT_EQ(AskLoaded(5, 1, 2).data, "wide");
}

TEST_F(EngineRead, ARecordThatFourByteOffsetsCannotReachIsFoundThirtyTwoGibibytesOn) {
  const auto writer = Write({.volume_id = 3});
  Put(*writer, 1, 2, "near");
  Put(*writer, 2, 2, "far away");
  const int fd = open((dir_ + "/3.dat").c_str(), O_RDWR);
  std::string record(64, '\0');
  const auto at = static_cast<off_t>(writer->volume().map.Find(2)->offset_units * 8);
  const ssize_t bytes = pread(fd, record.data(), record.size(), at);
  ASSERT_GT(bytes, 24);
  ASSERT_EQ(pwrite(fd, record.data(), static_cast<size_t>(bytes), at + (32ll << 30)), bytes);
  const std::string other(static_cast<size_t>(bytes), '\1');
  ASSERT_EQ(pwrite(fd, other.data(), other.size(), at), bytes);
  close(fd);
  Start();
  EXPECT_EQ(AskLoaded(3, 1, 2).data, "near");
  EXPECT_EQ(AskLoaded(3, 2, 2).data, "far away");
}

TEST_F(EngineRead, ANeedleUpToTheBoundIsSentWholeWhateverRangeWasAsked) {
  const auto writer = Write({.volume_id = 3});
  Put(*writer, 1, 2, "0123456789");
  Start();
  ASSERT_EQ(AskLoaded(3, 1, 2).status, Status::ok);
  auto command = Command(3, 1, 2);
  command.offset = 3;
  command.length = 4;
  command.whole_bytes_max = 10;
  EXPECT_EQ(Ask(command).data, "0123456789");
  command.whole_bytes_max = 9;
  const Reply slice = Ask(command);
  EXPECT_EQ(slice.data, "3456");
  EXPECT_EQ(slice.header.reply_flags, 0);
  EXPECT_EQ(slice.header.data_offset, 3u);
  EXPECT_EQ(slice.header.data_bytes_total, 10u);
  EXPECT_EQ(slice.header.data_crc32c, storage::Crc32c(0, AsBytes("3456")));
  command.offset = 8;
  EXPECT_EQ(Ask(command).data, "89");
  command.offset = 10;
  const Reply past = Ask(command);
  EXPECT_EQ(past.status, Status::ok);
  EXPECT_EQ(past.data, "");
}

TEST_F(EngineRead, SlicesAndMetadataOfLargeNeedlesComeWithoutTheRest) {
  const std::string data = Pattern(5 * kMiB + 77);
  const auto writer = Write({.volume_id = 3});
  ASSERT_TRUE(writer->Append(
      {.needle_id = 1, .cookie = 2, .data = AsBytes(data), .name = AsBytes("big.bin")}));
  Start();
  auto command = Command(3, 1, 2);
  command.offset = 3 * kMiB + 5;
  command.length = 1000;
  const Reply slice = AskLoaded(command);
  ASSERT_EQ(slice.status, Status::ok);
  EXPECT_EQ(slice.data, data.substr(3 * kMiB + 5, 1000));
  EXPECT_EQ(slice.name, "big.bin");
  EXPECT_EQ(slice.header.reply_flags, protocol::kStream);
  EXPECT_EQ(slice.header.data_bytes_total, data.size());
  const uint64_t disk_before = engine_->stats().reads_disk;
  EXPECT_EQ(Ask(command).data, slice.data);
  EXPECT_EQ(engine_->stats().reads_disk, disk_before) << "verified again";
  command.metadata_only = true;
  const Reply metadata = Ask(command);
  EXPECT_EQ(metadata.status, Status::ok);
  EXPECT_EQ(metadata.name, "big.bin");
  EXPECT_EQ(metadata.header.data_length, 0u);
  EXPECT_EQ(metadata.header.data_bytes_total, data.size());
  EXPECT_EQ(AskLoaded(3, 1, 2).data, data);
}

TEST_F(EngineRead, ManyPartsOfOneColdNeedleAreAllAnswered) {
  const std::string data = Pattern(6 * kMiB);
  const auto writer = Write({.volume_id = 3});
  Put(*writer, 1, 2, data);
  Put(*writer, 2, 2, "small");
  Start();
  ASSERT_EQ(AskLoaded(3, 2, 2).status, Status::ok);
  auto command = Command(3, 1, 2);
  command.length = 100;
  for (uint64_t i = 0; i < 20; i++) {
    command.offset = i * 300'000;
    command.cookie = i == 7 ? 3 : 2;
    command.deadline_ns = i == 9 ? protocol::NowNs() + 1 : protocol::NowNs() + 10 * kNsPerSecond;
    engine_->Read(1000 + i, command);
  }
  ASSERT_TRUE(PollUntil([&] { return replies_.size() == 20; }));
  for (uint64_t i = 0; i < 20; i++) {
    const Reply& reply = replies_[1000 + i];
    if (i == 7 || i == 9) {
      EXPECT_EQ(reply.status, i == 7 ? Status::cookie_mismatch : Status::deadline);
    } else {
      EXPECT_EQ(reply.data, data.substr(i * 300'000, 100));
    }
  }
  EXPECT_EQ(engine_->stats().reads_in_flight, 0u);
}

TEST_F(EngineRead, TheChecksumOfAPartIsTheComputedOneUnlessTheNeedleIsStreamed) {
  const std::string small = "legacy";
  const std::string large = Pattern(2 * kMiB);
  const auto writer = Write({.volume_id = 3});
  for (const auto& [id, data] : {std::pair{1, &small}, {2, &large}}) {
    ASSERT_TRUE(writer->Append({.needle_id = static_cast<uint64_t>(id),
                                .cookie = 2,
                                .data = AsBytes(*data),
                                .legacy_checksum = true}));
  }
  Start();
  const uint32_t small_crc = storage::Crc32c(0, AsBytes(small));
  const uint32_t large_crc = storage::Crc32c(0, AsBytes(large));
  EXPECT_EQ(AskLoaded(3, 1, 2).header.checksum, storage::LegacyChecksum(small_crc));
  auto command = Command(3, 1, 2);
  command.metadata_only = true;
  EXPECT_EQ(Ask(command).header.checksum, small_crc);
  EXPECT_EQ(Ask(command).header.data_crc32c, small_crc);
  command.needle_id = 2;
  EXPECT_EQ(Ask(command).header.checksum, storage::LegacyChecksum(large_crc));
}

TEST_F(EngineRead, ExpiryNeedsBothFlagsAndCountsFromTheAppendTime) {
  const auto now_s = static_cast<uint64_t>(std::time(nullptr));
  const auto writer = Write({.volume_id = 3});
  const auto put = [&](uint64_t id, uint64_t last_modified_s, uint64_t appended_s) {
    ASSERT_TRUE(writer->Append({.needle_id = id,
                                .cookie = 2,
                                .data = AsBytes("ttl"),
                                .last_modified_s = last_modified_s,
                                .ttl_count = 3,
                                .ttl_unit = 1,
                                .append_at_ns = appended_s * kNsPerSecond}));
  };
  put(1, 1, now_s - 60);
  put(2, now_s, now_s - 181);
  put(3, 0, now_s - 181);
  Start();
  const Reply live = AskLoaded(3, 1, 2);
  EXPECT_EQ(live.status, Status::ok);
  EXPECT_EQ(live.header.reply_flags, protocol::kWhole | protocol::kHasTtl);
  EXPECT_NEAR(static_cast<double>(live.header.ttl_left_ns), 120e9, 5e9);
  EXPECT_EQ(AskLoaded(3, 2, 2).status, Status::expired);
  EXPECT_EQ(AskLoaded(3, 3, 2).status, Status::ok);
}

TEST_F(EngineRead, AFlippedBitIsCorruptInEveryKindOfRead) {
  const std::string large = Pattern(2 * kMiB);
  const auto writer = Write({.volume_id = 3});
  Put(*writer, 1, 2, "small");
  Put(*writer, 2, 2, large);
  const int fd = open((dir_ + "/3.dat").c_str(), O_RDWR);
  for (const uint64_t id : {1, 2}) {
    const auto at = static_cast<off_t>(writer->volume().map.Find(id)->offset_units * 8 + 22);
    char byte;
    ASSERT_EQ(pread(fd, &byte, 1, at), 1);
    byte ^= 4;
    ASSERT_EQ(pwrite(fd, &byte, 1, at), 1);
  }
  close(fd);
  Start();
  for (const uint64_t id : {1, 2}) {
    auto command = Command(3, id, 2);
    EXPECT_EQ(AskLoaded(command).status, Status::corrupt);
    command.metadata_only = true;
    EXPECT_EQ(Ask(command).status, Status::corrupt);
    command.metadata_only = false;
    command.offset = 4;
    command.length = 1;
    EXPECT_EQ(Ask(command).status, Status::corrupt);
  }
  EXPECT_EQ(engine_->stats().corrupt, 6u);
}

TEST_F(EngineRead, AFullArenaIsNoSlab) {
  const auto writer = Write({.volume_id = 3});
  Put(*writer, 1, 2, "data");
  Start();
  ASSERT_EQ(AskLoaded(3, 1, 2).status, Status::ok);
  const memory::Lease all = arena_->Allocate(kArenaBytes);
  ASSERT_TRUE(all);
  EXPECT_EQ(Ask(Command(3, 1, 2)).status, Status::no_slab);
}

TEST_F(EngineRead, RequestsOverTheBoundAreRefusedAndThoseLeftAtTheEndAreClosed) {
  const auto writer = Write({.volume_id = 3});
  Put(*writer, 1, 2, Pattern(2 * kMiB));
  Start({.requests_max = 1});
  ASSERT_EQ(AskLoaded(3, 1, 2).status, Status::ok);
  auto command = Command(3, 1, 2);
  command.metadata_only = true;
  command.cookie = 3;
  engine_->Read(1001, command);
  engine_->Read(1002, command);
  ASSERT_TRUE(replies_.contains(1001) || replies_.contains(1002));
  engine_.reset();
  EXPECT_TRUE(replies_.contains(1001));
  EXPECT_TRUE(replies_.contains(1002));
}

TEST_F(EngineRead, ADirectoryThatCannotBeReadIsAnErrorThatNamesIt) {
  std::string error;
  EXPECT_FALSE(Engine::Create({.dirs = {dir_, dir_ + "/missing"}}, *arena_, *this, error));
  EXPECT_NE(error.find("/missing"), std::string::npos);
}

}  // namespace
}  // namespace engine
