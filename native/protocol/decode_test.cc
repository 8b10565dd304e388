#include "protocol/decode.h"

#include <gtest/gtest.h>

#include <array>

namespace protocol {
namespace {

Read ValidRead() {
  Read read{};
  read.request_id = 7;
  read.timeout_ns = 1;
  return read;
}

template <typename T>
auto DecodeCopy(const T& message) {
  return Decode<T>(std::as_bytes(std::span(&message, 1)));
}

TEST(Decode, TakesAMessageFromAnUnalignedAddress) {
  const Read read = ValidRead();
  std::array<std::byte, sizeof(Read) + 1> storage{};
  std::memcpy(storage.data() + 1, &read, sizeof(read));
  const auto decoded = Decode<Read>(std::span(storage).subspan(1));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->request_id, 7u);
}

TEST(Decode, RefusesEverySizeButTheExactOne) {
  const std::array<std::byte, sizeof(Read) + 1> storage{};
  for (size_t size = 0; size <= storage.size(); ++size) {
    EXPECT_FALSE(Decode<Read>(std::span(storage).first(size))) << size;
  }
}

TEST(Decode, RefusesReservedBitsAndZeroIdsOfARead) {
  EXPECT_TRUE(DecodeCopy(ValidRead()));
  Read read = ValidRead();
  read.reserved16 = 1;
  EXPECT_FALSE(DecodeCopy(read));
  read = ValidRead();
  read.reserved32 = 1;
  EXPECT_FALSE(DecodeCopy(read));
  read = ValidRead();
  read.flags = 2;
  EXPECT_FALSE(DecodeCopy(read));
  read = ValidRead();
  read.request_id = 0;
  EXPECT_FALSE(DecodeCopy(read));
  read = ValidRead();
  read.timeout_ns = 0;
  EXPECT_FALSE(DecodeCopy(read));
}

TEST(Decode, RefusesAHelloThatIsNone) {
  Hello hello{};
  hello.magic = kMagic;
  hello.version_min = hello.version_max = 1;
  EXPECT_TRUE(DecodeCopy(hello));
  hello.version_min = 2;
  EXPECT_FALSE(DecodeCopy(hello));
  hello.version_min = 1;
  hello.magic = 0x20544547;  // "GET "
  EXPECT_FALSE(DecodeCopy(hello));
}

TEST(Decode, RefusesIdsWithAVerdictThatHasNone) {
  ValidateRow row{};
  row.id_count = 1;
  EXPECT_TRUE(DecodeCopy(row));
  row.verdict = static_cast<uint16_t>(Verdict::flush);
  EXPECT_FALSE(DecodeCopy(row));
  row.id_count = 0;
  EXPECT_TRUE(DecodeCopy(row));
  row.verdict = 4;
  EXPECT_FALSE(DecodeCopy(row));
}

TEST(Decode, RefusesALeaseThatIsTooLongAndOneOfAVolumeThatIsNotServed) {
  Validate validate{};
  validate.request_id = validate.timeout_ns = 1;
  validate.lease_ms = kLeaseMsMax;
  EXPECT_TRUE(DecodeCopy(validate));
  validate.lease_ms = kLeaseMsMax + 1;
  EXPECT_FALSE(DecodeCopy(validate));
  ValidateRow row{};
  row.flags = kLeased;
  EXPECT_TRUE(DecodeCopy(row));
  row.verdict = static_cast<uint16_t>(Verdict::flush);
  EXPECT_TRUE(DecodeCopy(row));
  row.verdict = static_cast<uint16_t>(Verdict::gone);
  EXPECT_FALSE(DecodeCopy(row));
  row.verdict = static_cast<uint16_t>(Verdict::changed);
  row.flags = 2;
  EXPECT_FALSE(DecodeCopy(row));
}

TEST(Decode, RefusesAChangeThatContradictsItself) {
  const auto change = [](Verdict verdict, uint64_t from, uint64_t to, uint32_t id_count) {
    Changed changed{};
    changed.verdict = static_cast<uint16_t>(verdict);
    changed.from = from;
    changed.to = to;
    changed.id_count = id_count;
    return changed;
  };
  EXPECT_TRUE(DecodeCopy(change(Verdict::changed, 16, 32, kChangedIdsMax)));
  EXPECT_TRUE(DecodeCopy(change(Verdict::changed, 16, 32, 0)));
  EXPECT_TRUE(DecodeCopy(change(Verdict::flush, 32, 16, 0)));
  EXPECT_TRUE(DecodeCopy(change(Verdict::unconfirmed, 16, 0, 0)));
  EXPECT_FALSE(DecodeCopy(change(Verdict::changed, 16, 32, kChangedIdsMax + 1)));
  EXPECT_FALSE(DecodeCopy(change(Verdict::changed, 16, 16, 0)));
  EXPECT_FALSE(DecodeCopy(change(Verdict::changed, 32, 16, 1)));
  EXPECT_FALSE(DecodeCopy(change(Verdict::flush, 16, 32, 1)));
  EXPECT_FALSE(DecodeCopy(change(static_cast<Verdict>(4), 16, 32, 0)));
  Changed changed = change(Verdict::changed, 16, 32, 0);
  changed.reserved16 = 1;
  EXPECT_FALSE(DecodeCopy(changed));
  changed.reserved16 = 0;
  changed.reserved32 = 1;
  EXPECT_FALSE(DecodeCopy(changed));
}

TEST(ListReader, StopsAtTheEndOfTheList) {
  std::vector<std::byte> list;
  AppendRow(list, ValidateItem{.epoch = 1, .position = 2, .volume_id = 3, .reserved = 0});
  AppendRow(list, uint64_t{9});
  ListReader reader(list);
  EXPECT_EQ(reader.Take<ValidateItem>()->volume_id, 3u);
  EXPECT_FALSE(reader.TakeIds(2));
  EXPECT_FALSE(reader.TakeText(9));
  EXPECT_EQ(reader.TakeIds(1)->front(), 9u);
  EXPECT_TRUE(reader.empty());
  EXPECT_FALSE(reader.Take<ValidateItem>());
}

TEST(Status, NamesEveryNumberOfTheTableAndNoOther) {
  for (const StatusRow& row : kStatusTable) {
    EXPECT_EQ(StatusFromWire(static_cast<uint16_t>(row.status)), row.status);
  }
  EXPECT_FALSE(StatusFromWire(18));
  EXPECT_FALSE(StatusFromWire(0xffff));
}

}  // namespace
}  // namespace protocol
