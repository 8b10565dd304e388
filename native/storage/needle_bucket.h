#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "storage/needle_map.h"

// Layout of one bucket of the needle map: a header of 8 bytes, then packed sorted entries
// [key bytes][offset 4 or 5][size 4]. Private to the map and its bulk load.
namespace storage {

struct NeedleMap::Bucket {
  uint32_t count;
  uint32_t capacity : 24;
  uint32_t depth : 8;

  [[nodiscard]] std::byte* entries() { return reinterpret_cast<std::byte*>(this + 1); }
  [[nodiscard]] const std::byte* entries() const {
    return reinterpret_cast<const std::byte*>(this + 1);
  }
};

inline constexpr uint32_t kBucketCapacityMax = (1u << 24) - 1;
inline constexpr uint32_t kSplitCount = 128;  // entries at which a bucket is split
inline constexpr uint32_t kLoadCount = 88;    // entries a bucket that a bulk load aims at, at most
inline constexpr uint32_t kDepthMax = 28;     // deeper: buckets grow instead

/// Entry codec for one local depth: the key is the hash's low bytes that the depth leaves
/// undetermined.
class EntryCodec {
 public:
  EntryCodec(uint32_t depth, uint32_t offset_bytes)
      : key_bytes_((64 - depth + 7) / 8),
        offset_bytes_(offset_bytes),
        key_mask_(UINT64_MAX >> (64 - 8 * key_bytes_)) {}

  [[nodiscard]] size_t bytes() const { return size_t{key_bytes_} + offset_bytes_ + 4; }
  [[nodiscard]] uint64_t KeyOf(uint64_t hash) const { return hash & key_mask_; }

  // At least 13 bytes an entry: loading 8 stays inside.
  [[nodiscard]] uint64_t Key(const std::byte* entry) const {
    uint64_t word;
    std::memcpy(&word, entry, 8);
    return word & key_mask_;
  }

  [[nodiscard]] NeedlePlace Place(const std::byte* entry) const {
    NeedlePlace place{};
    std::memcpy(&place.offset_units, entry + key_bytes_, offset_bytes_);
    std::memcpy(&place.size, entry + key_bytes_ + offset_bytes_, 4);
    return place;
  }

  void Store(std::byte* entry, uint64_t hash, const NeedlePlace& place) const {
    std::memcpy(entry, &hash, key_bytes_);
    StorePlace(entry, place);
  }

  void StorePlace(std::byte* entry, const NeedlePlace& place) const {
    std::memcpy(entry + key_bytes_, &place.offset_units, offset_bytes_);
    std::memcpy(entry + key_bytes_ + offset_bytes_, &place.size, 4);
  }

 private:
  uint32_t key_bytes_;
  uint32_t offset_bytes_;
  uint64_t key_mask_;
};

/// First index whose key is not less than the hash's. Keys are uniform, so a linear guess lands a
/// few entries off: the search touches one or two cache lines where a binary one touches five.
template <typename Bucket>
[[nodiscard]] uint32_t LowerBound(const Bucket& bucket, const EntryCodec& codec, uint64_t hash) {
  const size_t bytes = codec.bytes();
  const std::byte* entries = bucket.entries();
  const uint64_t key = codec.KeyOf(hash);
  const uint64_t fraction = (hash << bucket.depth) >> 32;
  auto index = static_cast<uint32_t>((fraction * bucket.count) >> 32);
  if (index < bucket.count && codec.Key(entries + index * bytes) < key) {
    do index++;
    while (index < bucket.count && codec.Key(entries + index * bytes) < key);
    return index;
  }
  while (index > 0 && codec.Key(entries + (index - 1) * bytes) >= key) index--;
  return index;
}

}  // namespace storage
