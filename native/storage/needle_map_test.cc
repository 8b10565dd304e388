#include "storage/needle_map.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

#include "storage/needle_map_load.h"

namespace storage {
namespace {

std::vector<std::byte> Encode(const std::vector<IdxRow>& rows, uint32_t offset_bytes) {
  std::vector<std::byte> bytes(rows.size() * IdxRowBytes(offset_bytes));
  for (size_t i = 0; i < rows.size(); i++) {
    EncodeIdxRow(rows[i], offset_bytes, &bytes[i * IdxRowBytes(offset_bytes)]);
  }
  return bytes;
}

NeedleMap Loaded(const std::vector<IdxRow>& rows, uint32_t offset_bytes = 4) {
  NeedleMap map(offset_bytes);
  const auto bytes = Encode(rows, offset_bytes);
  NeedleMapLoad load(map, rows.size());
  load.Count(bytes);
  load.Begin();
  EXPECT_TRUE(load.Add(bytes));
  load.Finish();
  return map;
}

NeedleMap Applied(const std::vector<IdxRow>& rows, uint32_t offset_bytes = 4) {
  NeedleMap map(offset_bytes);
  for (const IdxRow& row : rows) map.Apply(row);
  return map;
}

// Few ids, so that most rows are overwrites, deletes and second deletes.
std::vector<IdxRow> RandomRows(uint32_t count, uint32_t id_count, uint64_t units_max,
                               uint32_t seed) {
  std::mt19937_64 random(seed);
  std::vector<IdxRow> rows;
  for (uint32_t i = 0; i < count; i++) {
    const uint64_t id = (random() % id_count) * 0x9e3779b97f4a7c15ull;
    const uint64_t units = 1 + random() % units_max;
    switch (random() % 8) {
      case 0:
        rows.push_back({id, units, -1});
        break;
      case 1:
        rows.push_back({id, 0, static_cast<int32_t>(random() % 100)});
        break;
      default:
        rows.push_back({id, units, static_cast<int32_t>(random() % INT32_MAX)});
    }
  }
  return rows;
}

// A replay as the specification describes it, in the plainest form.
std::map<uint64_t, NeedlePlace> Model(const std::vector<IdxRow>& rows) {
  std::map<uint64_t, NeedlePlace> model;
  for (const IdxRow& row : rows) {
    if (row.is_put()) {
      model[row.needle_id] = {row.offset_units, row.size};
    } else if (const auto found = model.find(row.needle_id); found != model.end()) {
      found->second.size = -1;
    }
  }
  return model;
}

void ExpectSame(const NeedleMap& map, const std::map<uint64_t, NeedlePlace>& model) {
  uint64_t live = 0;
  for (const auto& [id, place] : model) {
    const auto found = map.Find(id);
    ASSERT_TRUE(found) << id;
    ASSERT_EQ(found->size, place.size);
    ASSERT_EQ(found->offset_units, place.offset_units);
    live += place.size >= 0;
    if (!model.contains(id + 1)) {
      ASSERT_FALSE(map.Find(id + 1));
    }
  }
  EXPECT_EQ(map.live_count(), live);
  EXPECT_EQ(map.deleted_count(), model.size() - live);
  const auto items = map.Items();
  ASSERT_EQ(items.size(), model.size());
  auto expected = model.begin();
  for (const auto& item : items) ASSERT_EQ(item.needle_id, (expected++)->first);
}

TEST(NeedleMap, AReplayInBulkAndRowByRowGiveTheModelsAnswers) {
  for (const uint32_t id_count : {1u, 5u, 200u, 3000u, 40000u}) {
    for (const uint32_t offset_bytes : {4u, 5u}) {
      const uint64_t units_max = offset_bytes == 4 ? UINT32_MAX : (1ull << 40) - 1;
      const auto rows = RandomRows(50000, id_count, units_max, id_count);
      const auto model = Model(rows);
      ExpectSame(Loaded(rows, offset_bytes), model);
      ExpectSame(Applied(rows, offset_bytes), model);
    }
  }
}

TEST(NeedleMap, GrowsFromAnyBulkLoadRowByRow) {
  const auto rows = RandomRows(60000, 20000, UINT32_MAX, 5);
  for (const size_t loaded : {0u, 1u, 100u, 30000u}) {
    NeedleMap map = Loaded({rows.begin(), rows.begin() + static_cast<ptrdiff_t>(loaded)});
    for (size_t i = loaded; i < rows.size(); i++) map.Apply(rows[i]);
    ExpectSame(map, Model(rows));
  }
}

TEST(NeedleMap, TheExtremesOfIdsOffsetsAndSizesSurvive) {
  const std::vector<IdxRow> rows{
      {0, 1, 0}, {UINT64_MAX, (1ull << 40) - 1, INT32_MAX}, {1ull << 63, 1ull << 32, 1}};
  ExpectSame(Loaded(rows, 5), Model(rows));
  ExpectSame(Applied(rows, 5), Model(rows));
}

TEST(NeedleMap, ADeleteOfAnUnknownIdLeavesNoTrace) {
  const NeedleMap map = Loaded({{7, 3, -1}, {8, 0, 5}});
  EXPECT_FALSE(map.Find(7));
  EXPECT_EQ(map.deleted_count(), 0u);
}

TEST(NeedleMap, ALaterRowWinsAlsoWhenItPointsBackwards) {
  EXPECT_EQ(Loaded({{7, 30, 5}, {7, 3, 6}}).Find(7)->offset_units, 3u);
}

TEST(NeedleMap, ManyOverwritesOfFewNeedlesTakeLittleMemory) {
  const auto rows = RandomRows(200000, 100, UINT32_MAX, 3);
  EXPECT_LT(Loaded(rows).bytes(), 100u * 30);
}

TEST(NeedleMap, AMillionNeedlesTakeSixteenBytesEach) {
  std::vector<IdxRow> rows;
  for (uint64_t id = 1; id <= 1'000'000; id++) rows.push_back({id, id, 100});
  const NeedleMap loaded = Loaded(rows);
  EXPECT_LE(loaded.bytes(), 16u * rows.size());
  const NeedleMap grown = Applied(rows);
  EXPECT_LE(grown.bytes(), 17u * rows.size());
}

TEST(NeedleMap, RowsThatAreNotTheCountedOnesAreRefused) {
  NeedleMap map(4);
  const auto counted = Encode({{1, 1, 1}}, 4);
  const auto other = Encode({{1, 1, 1}, {2, 1, 1}}, 4);
  NeedleMapLoad load(map, 1);
  load.Count(counted);
  load.Begin();
  EXPECT_FALSE(load.Add(other));
}

}  // namespace
}  // namespace storage
