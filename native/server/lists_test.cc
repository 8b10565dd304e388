#include "server/lists.h"

#include <gtest/gtest.h>

#include "protocol/decode.h"
#include "stream/part.h"

namespace server {
namespace {

TEST(VolumePages, AreOneForAnEmptyList) {
  const auto pages = MakeVolumePages(9, {});
  ASSERT_EQ(pages.size(), 1u);
  EXPECT_EQ(pages[0].header.pages, 1u);
  EXPECT_EQ(pages[0].header.row_count, 0u);
  EXPECT_EQ(pages[0].header.generation, 9u);
}

TEST(VolumePages, HoldEveryVolumeOnceAndInOrder) {
  std::vector<engine::AnnouncedVolume> volumes;
  for (uint32_t i = 0; i < 3000; ++i)
    volumes.push_back({i, 2, i % 3 == 0, std::string(i % 200, 'c')});
  const auto pages = MakeVolumePages(1, volumes);
  uint32_t next = 0;
  for (uint32_t page = 0; page < pages.size(); ++page) {
    EXPECT_EQ(pages[page].header.page, page);
    EXPECT_EQ(pages[page].header.pages, pages.size());
    EXPECT_LE(pages[page].header.row_count, protocol::kVolumesPerPageMax);
    EXPECT_LE(pages[page].rows->size(), stream::kShortBytesMax);
    protocol::ListReader reader(*pages[page].rows);
    for (uint32_t i = 0; i < pages[page].header.row_count; ++i, ++next) {
      const auto row = reader.Take<protocol::VolumeRow>();
      ASSERT_TRUE(row);
      EXPECT_EQ(row->volume_id, next);
      EXPECT_EQ(row->flags, next % 3 == 0 ? 1 : 0);
      EXPECT_EQ(reader.TakeText(row->collection_bytes)->size(), next % 200);
    }
    EXPECT_TRUE(reader.empty());
  }
  EXPECT_EQ(next, 3000u);
}

TEST(ValidateRows, SayFlushPastTheBoundOfTheWholeReply) {
  std::vector<std::byte> list;
  size_t ids_count = 0;
  for (int i = 0; i < 20; ++i) {
    engine::ValidateResult result{};
    result.ids.resize(protocol::kChangedIdsMax);
    LimitIds(result, ids_count);
    AppendValidateRow(list, result);
  }
  protocol::ListReader reader(list);
  for (int i = 0; i < 20; ++i) {
    const auto row = reader.Take<protocol::ValidateRow>();
    ASSERT_TRUE(row);
    const bool fits = i < 16;
    EXPECT_EQ(row->verdict,
              static_cast<uint16_t>(fits ? protocol::Verdict::changed : protocol::Verdict::flush))
        << i;
    ASSERT_TRUE(reader.TakeIds(row->id_count));
  }
  EXPECT_TRUE(reader.empty());
}

TEST(ValidateRows, SayFlushForOneVolumeWithTooManyChanges) {
  std::vector<std::byte> list;
  size_t ids_count = 0;
  engine::ValidateResult result{};
  result.ids.resize(protocol::kChangedIdsMax + 1);
  LimitIds(result, ids_count);
  AppendValidateRow(list, result);
  EXPECT_EQ(list.size(), sizeof(protocol::ValidateRow));
}

}  // namespace
}  // namespace server
