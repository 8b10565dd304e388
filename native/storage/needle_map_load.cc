#include "storage/needle_map_load.h"

#include <algorithm>
#include <array>

#include "memory/check.h"
#include "storage/needle_bucket.h"

namespace storage {
namespace {

uint32_t DepthFor(uint64_t entries) {
  uint32_t depth = 0;
  while (depth < kDepthMax && (entries >> depth) > kLoadCount) depth++;
  return depth;
}

}  // namespace

NeedleMapLoad::NeedleMapLoad(NeedleMap& map, uint64_t row_count)
    : map_(map),
      row_bytes_(static_cast<uint32_t>(IdxRowBytes(map.offset_bytes_))),
      depth_(DepthFor(row_count)),
      counts_(1ull << depth_) {
  CHECK(map.entry_count_ == 0);
}

void NeedleMapLoad::Count(std::span<const std::byte> rows) {
  const uint32_t shift = depth_ == 0 ? 0 : 64 - depth_;
  for (uint64_t at = 0; at + row_bytes_ <= rows.size(); at += row_bytes_) {
    const uint64_t hash = map_.HashOf(LoadBig<uint64_t>(&rows[at]));
    counts_[depth_ == 0 ? 0 : hash >> shift]++;
  }
}

void NeedleMapLoad::Begin() {
  map_.Clear();
  map_.depth_ = depth_;
  map_.directory_.resize(counts_.size());
  for (uint64_t slot = 0; slot < counts_.size(); slot++) {
    const uint32_t capacity = std::min(counts_[slot], kBucketCapacityMax);
    map_.directory_[slot] = map_.NewBucket(depth_, capacity);
  }
  counts_ = {};
}

// The buckets of a large map lie all over memory; rows are taken in groups whose cache lines are
// fetched together instead of one after the other.
bool NeedleMapLoad::Add(std::span<const std::byte> rows) {
  constexpr uint64_t kGroup = 32;
  const EntryCodec codec(depth_, map_.offset_bytes_);
  std::array<uint64_t, kGroup> hashes;
  std::array<Bucket*, kGroup> buckets;
  const uint64_t row_count = rows.size() / row_bytes_;
  for (uint64_t first = 0; first < row_count; first += kGroup) {
    const uint64_t count = std::min(kGroup, row_count - first);
    const std::byte* group = rows.data() + first * row_bytes_;
    for (uint64_t i = 0; i < count; i++) {
      hashes[i] = map_.HashOf(LoadBig<uint64_t>(group + i * row_bytes_));
      buckets[i] = map_.directory_[map_.SlotOf(hashes[i])];
      __builtin_prefetch(buckets[i], 1);
    }
    for (uint64_t i = 0; i < count; i++) {
      __builtin_prefetch(buckets[i]->entries() + uint64_t{buckets[i]->count} * codec.bytes(), 1);
    }
    for (uint64_t i = 0; i < count; i++) {
      Bucket& bucket = *buckets[i];
      if (bucket.count == bucket.capacity) return false;
      const IdxRow row = ParseIdxRow(group + i * row_bytes_, map_.offset_bytes_);
      const NeedlePlace place{row.offset_units, row.is_put() ? row.size : -1};
      codec.Store(bucket.entries() + uint64_t{bucket.count++} * codec.bytes(), hashes[i], place);
    }
  }
  return true;
}

void NeedleMapLoad::Finish() {
  for (uint64_t slot = 0; slot < map_.directory_.size(); slot++) SortBucket(slot);
  const uint32_t depth = DepthFor(map_.entry_count_);
  if (depth < depth_) MergeTo(depth);
}

void NeedleMapLoad::SortBucket(uint64_t slot) {
  Bucket* bucket = map_.directory_[slot];
  const EntryCodec codec(depth_, map_.offset_bytes_);
  const size_t bytes = codec.bytes();
  ranked_.resize(bucket->count);
  for (uint32_t i = 0; i < bucket->count; i++)
    ranked_[i] = {codec.Key(bucket->entries() + uint64_t{i} * bytes), i};
  std::ranges::sort(ranked_, [](const Ranked& a, const Ranked& b) {
    return a.key < b.key || (a.key == b.key && a.rank < b.rank);
  });
  sorted_.resize(uint64_t{bucket->count} * bytes);
  uint32_t kept = 0;
  for (uint32_t i = 0; i < ranked_.size();) {
    // The last row decides; a tombstone stays only where a needle was put before it.
    bool was_put = false;
    const std::byte* last = nullptr;
    const uint64_t key = ranked_[i].key;
    NeedlePlace put{};
    for (; i < ranked_.size() && ranked_[i].key == key; i++) {
      last = bucket->entries() + uint64_t{ranked_[i].rank} * bytes;
      const NeedlePlace place = codec.Place(last);
      if (place.size < 0) continue;
      was_put = true;
      put = place;
    }
    if (!was_put) continue;
    std::byte* entry = &sorted_[uint64_t{kept++} * bytes];
    std::memcpy(entry, last, bytes);
    if (codec.Place(last).size >= 0) {
      map_.live_count_++;
    } else {
      codec.StorePlace(entry, {put.offset_units, -1});
    }
  }
  if (kept > 0) std::memcpy(bucket->entries(), sorted_.data(), uint64_t{kept} * bytes);
  map_.entry_count_ += kept;
  const bool shrinks = kept < bucket->count;
  bucket->count = kept;
  if (shrinks) map_.directory_[slot] = map_.Resize(bucket, kept);
}

// Many rows on few needles left the directory too deep: neighbouring buckets become one.
void NeedleMapLoad::MergeTo(uint32_t depth) {
  const uint64_t group = 1ull << (depth_ - depth);
  const EntryCodec from(depth_, map_.offset_bytes_);
  const EntryCodec to(depth, map_.offset_bytes_);
  std::vector<Bucket*> merged(1ull << depth);
  for (uint64_t slot = 0; slot < merged.size(); slot++) {
    uint32_t count = 0;
    for (uint64_t i = 0; i < group; i++) count += map_.directory_[slot * group + i]->count;
    Bucket* bucket = map_.NewBucket(depth, count);
    for (uint64_t i = 0; i < group; i++) {
      const uint64_t source = slot * group + i;
      Bucket* part = map_.directory_[source];
      const uint64_t prefix = source << (64 - depth_);
      for (uint32_t e = 0; e < part->count; e++) {
        const std::byte* entry = part->entries() + uint64_t{e} * from.bytes();
        std::byte* target = bucket->entries() + uint64_t{bucket->count++} * to.bytes();
        to.Store(target, prefix | from.Key(entry), from.Place(entry));
      }
      map_.DeleteBucket(part);
    }
    merged[slot] = bucket;
  }
  map_.directory_ = std::move(merged);
  map_.depth_ = depth;
}

}  // namespace storage
