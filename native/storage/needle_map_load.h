#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "storage/needle_map.h"

// Replays a whole .idx into an empty needle map in two passes over the same rows: count what each
// bucket will hold, then scatter the rows into exact-fit buckets, sort each and keep the last word
// on each id.
namespace storage {

class NeedleMapLoad {
 public:
  NeedleMapLoad(NeedleMap& map, uint64_t row_count);

  /// First pass, whole rows.
  void Count(std::span<const std::byte> rows);
  void Begin();
  /// Second pass, the same rows in the same order. False when they are not the same.
  [[nodiscard]] bool Add(std::span<const std::byte> rows);
  void Finish();

 private:
  using Bucket = NeedleMap::Bucket;

  void SortBucket(uint64_t slot);
  void MergeTo(uint32_t depth);

  NeedleMap& map_;
  uint32_t row_bytes_;
  uint32_t depth_;
  std::vector<uint32_t> counts_;
  struct Ranked {
    uint64_t key;
    uint32_t rank;
  };
  std::vector<Ranked> ranked_;  // scratch of SortBucket
  std::vector<std::byte> sorted_;
};

}  // namespace storage
