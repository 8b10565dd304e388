#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "storage/idx_row.h"

// Needle id → place in the .dat, about 15 bytes a needle: extendible hashing over a seeded
// bijection of the id. A bucket of local depth d holds sorted packed entries that keep only the
// hash's bytes below its depth, the offset at the row's own width, and the size. One thread at a
// time.
namespace storage {

struct NeedlePlace {
  uint64_t offset_units;  // of 8 bytes
  int32_t size;           // negative: deleted
};

class NeedleMap {
 public:
  /// `offset_bytes` is that of the rows: 4 or 5.
  explicit NeedleMap(uint32_t offset_bytes);
  NeedleMap(NeedleMap&& other) noexcept;
  NeedleMap& operator=(NeedleMap&& other) noexcept;
  ~NeedleMap();

  [[nodiscard]] std::optional<NeedlePlace> Find(uint64_t needle_id) const;

  /// One row of the .idx, as a replay applies it: a delete of an unknown id changes nothing, a
  /// deleted needle stays as a tombstone.
  void Apply(const IdxRow& row);

  [[nodiscard]] uint64_t live_count() const { return live_count_; }
  [[nodiscard]] uint64_t deleted_count() const { return entry_count_ - live_count_; }
  /// Heap bytes, the allocator's overhead included.
  [[nodiscard]] uint64_t bytes() const;

  struct Item {
    uint64_t needle_id;
    NeedlePlace place;
  };
  /// All entries, tombstones included, by ascending id. Costs 24 bytes an entry: for tools, not for
  /// reads.
  [[nodiscard]] std::vector<Item> Items() const;

 private:
  friend class NeedleMapLoad;
  struct Bucket;

  [[nodiscard]] uint64_t HashOf(uint64_t needle_id) const;
  [[nodiscard]] uint64_t IdOf(uint64_t hash) const;
  [[nodiscard]] uint64_t SlotOf(uint64_t hash) const {
    return depth_ == 0 ? 0 : hash >> (64 - depth_);
  }
  [[nodiscard]] Bucket* NewBucket(uint32_t depth, uint32_t capacity);
  void DeleteBucket(Bucket* bucket);
  [[nodiscard]] Bucket* Resize(Bucket* bucket, uint32_t capacity);
  void Insert(uint64_t hash, const NeedlePlace& place);
  void Split(uint64_t slot);
  void PointAt(uint64_t slot, Bucket* bucket);
  void Clear();

  uint32_t offset_bytes_;
  uint32_t depth_ = 0;
  uint64_t seed_;  // drawn for each map: a client that chooses ids cannot choose their bucket
  std::vector<Bucket*> directory_;  // 2^depth_ slots; a bucket of less depth fills several
  uint64_t entry_count_ = 0;
  uint64_t live_count_ = 0;
  uint64_t bucket_bytes_ = 0;
};

}  // namespace storage
