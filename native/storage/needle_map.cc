#include "storage/needle_map.h"

#include <malloc.h>
#include <sys/random.h>

#include <cstdlib>
#include <utility>

#include "memory/check.h"
#include "storage/needle_bucket.h"

namespace storage {
namespace {

constexpr uint64_t kMultiplier = 0xd6e8feb86659fd93ull;

constexpr uint64_t InverseOf(uint64_t odd) {
  uint64_t inverse = odd;
  for (int i = 0; i < 6; i++) inverse *= 2 - odd * inverse;
  return inverse;
}
static_assert(kMultiplier * InverseOf(kMultiplier) == 1);

constexpr uint64_t kAllocationBytes = sizeof(size_t);  // glibc's header in front of each block

uint64_t DrawSeed() {
  uint64_t seed = 0;
  CHECK(getrandom(&seed, sizeof seed, 0) == sizeof seed);
  return seed;
}

}  // namespace

NeedleMap::NeedleMap(uint32_t offset_bytes) : offset_bytes_(offset_bytes), seed_(DrawSeed()) {
  directory_.push_back(NewBucket(0, 0));
}

NeedleMap::NeedleMap(NeedleMap&& other) noexcept
    : offset_bytes_(other.offset_bytes_),
      depth_(std::exchange(other.depth_, 0)),
      seed_(other.seed_),
      directory_(std::exchange(other.directory_, {})),
      entry_count_(std::exchange(other.entry_count_, 0)),
      live_count_(std::exchange(other.live_count_, 0)),
      bucket_bytes_(std::exchange(other.bucket_bytes_, 0)) {}

NeedleMap& NeedleMap::operator=(NeedleMap&& other) noexcept {
  if (this == &other) return *this;
  Clear();
  offset_bytes_ = other.offset_bytes_;
  depth_ = std::exchange(other.depth_, 0);
  seed_ = other.seed_;
  directory_ = std::exchange(other.directory_, {});
  entry_count_ = std::exchange(other.entry_count_, 0);
  live_count_ = std::exchange(other.live_count_, 0);
  bucket_bytes_ = std::exchange(other.bucket_bytes_, 0);
  return *this;
}

NeedleMap::~NeedleMap() { Clear(); }

std::optional<NeedlePlace> NeedleMap::Find(uint64_t needle_id) const {
  const uint64_t hash = HashOf(needle_id);
  const Bucket& bucket = *directory_[SlotOf(hash)];
  const EntryCodec codec(bucket.depth, offset_bytes_);
  const uint32_t index = LowerBound(bucket, codec, hash);
  const std::byte* entry = bucket.entries() + index * codec.bytes();
  if (index == bucket.count || codec.Key(entry) != codec.KeyOf(hash)) return std::nullopt;
  return codec.Place(entry);
}

void NeedleMap::Apply(const IdxRow& row) {
  const uint64_t hash = HashOf(row.needle_id);
  if (row.is_put()) {
    Insert(hash, {row.offset_units, row.size});
    return;
  }
  Bucket& bucket = *directory_[SlotOf(hash)];
  const EntryCodec codec(bucket.depth, offset_bytes_);
  const uint32_t index = LowerBound(bucket, codec, hash);
  std::byte* entry = bucket.entries() + index * codec.bytes();
  if (index == bucket.count || codec.Key(entry) != codec.KeyOf(hash)) return;
  const NeedlePlace place = codec.Place(entry);
  if (place.size < 0) return;
  codec.StorePlace(entry, {place.offset_units, -1});
  live_count_--;
}

uint64_t NeedleMap::bytes() const {
  return sizeof *this + directory_.capacity() * sizeof(Bucket*) + bucket_bytes_;
}

std::vector<NeedleMap::Item> NeedleMap::Items() const {
  std::vector<Item> items;
  items.reserve(entry_count_);
  const Bucket* previous = nullptr;
  for (uint64_t slot = 0; slot < directory_.size(); slot++) {
    const Bucket& bucket = *directory_[slot];
    if (&bucket == previous) continue;
    previous = &bucket;
    const EntryCodec codec(bucket.depth, offset_bytes_);
    const uint64_t prefix =
        bucket.depth == 0 ? 0 : slot >> (depth_ - bucket.depth) << (64 - bucket.depth);
    for (uint32_t i = 0; i < bucket.count; i++) {
      const std::byte* entry = bucket.entries() + i * codec.bytes();
      items.push_back({IdOf(prefix | codec.Key(entry)), codec.Place(entry)});
    }
  }
  std::ranges::sort(items, {}, &Item::needle_id);
  return items;
}

uint64_t NeedleMap::HashOf(uint64_t needle_id) const {
  uint64_t hash = needle_id ^ seed_;
  hash = (hash ^ hash >> 32) * kMultiplier;
  hash = (hash ^ hash >> 32) * kMultiplier;
  return hash ^ hash >> 32;
}

uint64_t NeedleMap::IdOf(uint64_t hash) const {
  constexpr uint64_t kInverse = InverseOf(kMultiplier);
  hash = (hash ^ hash >> 32) * kInverse;
  hash = (hash ^ hash >> 32) * kInverse;
  return (hash ^ hash >> 32) ^ seed_;
}

NeedleMap::Bucket* NeedleMap::NewBucket(uint32_t depth, uint32_t capacity) {
  const uint64_t bytes =
      sizeof(Bucket) + uint64_t{capacity} * EntryCodec(depth, offset_bytes_).bytes();
  auto* bucket = static_cast<Bucket*>(std::malloc(bytes));
  CHECK(bucket != nullptr && capacity <= kBucketCapacityMax);
  bucket->count = 0;
  bucket->capacity = capacity & kBucketCapacityMax;
  bucket->depth = depth & 0xff;
  bucket_bytes_ += malloc_usable_size(bucket) + kAllocationBytes;
  return bucket;
}

void NeedleMap::DeleteBucket(Bucket* bucket) {
  bucket_bytes_ -= malloc_usable_size(bucket) + kAllocationBytes;
  std::free(bucket);
}

NeedleMap::Bucket* NeedleMap::Resize(Bucket* bucket, uint32_t capacity) {
  Bucket* resized = NewBucket(bucket->depth, capacity);
  resized->count = bucket->count;
  const EntryCodec codec(bucket->depth, offset_bytes_);
  std::memcpy(resized->entries(), bucket->entries(), uint64_t{bucket->count} * codec.bytes());
  DeleteBucket(bucket);
  return resized;
}

void NeedleMap::Insert(uint64_t hash, const NeedlePlace& place) {
  uint64_t slot = SlotOf(hash);
  Bucket* bucket = directory_[slot];
  EntryCodec codec(bucket->depth, offset_bytes_);
  uint32_t index = LowerBound(*bucket, codec, hash);
  std::byte* entry = bucket->entries() + index * codec.bytes();
  if (index < bucket->count && codec.Key(entry) == codec.KeyOf(hash)) {
    if (codec.Place(entry).size < 0) live_count_++;
    codec.StorePlace(entry, place);
    return;
  }
  while (bucket->count >= kSplitCount && bucket->depth < kDepthMax) {
    Split(slot);
    slot = SlotOf(hash);
    bucket = directory_[slot];
    codec = EntryCodec(bucket->depth, offset_bytes_);
    index = LowerBound(*bucket, codec, hash);
  }
  if (bucket->count == bucket->capacity) {
    // Small steps: what is free is memory that no needle uses.
    bucket = Resize(bucket, bucket->count + 1 + bucket->count / 16);
    PointAt(slot, bucket);
  }
  entry = bucket->entries() + index * codec.bytes();
  std::memmove(entry + codec.bytes(), entry, uint64_t{bucket->count - index} * codec.bytes());
  codec.Store(entry, hash, place);
  bucket->count++;
  entry_count_++;
  live_count_++;
}

// Doubling the directory copies pointers only; entries move in one bucket at a time, so no single
// insert stalls for the size of the map.
void NeedleMap::Split(uint64_t slot) {
  Bucket* bucket = directory_[slot];
  if (bucket->depth == depth_) {
    std::vector<Bucket*> doubled(directory_.size() * 2);
    for (uint64_t i = 0; i < doubled.size(); i++) doubled[i] = directory_[i / 2];
    directory_ = std::move(doubled);
    depth_++;
    slot *= 2;
  }
  const uint32_t depth = bucket->depth + 1;
  const uint64_t first_slot = slot >> (depth_ - bucket->depth) << (depth_ - bucket->depth);
  const uint64_t second_slot = first_slot + (1ull << (depth_ - depth));
  const uint64_t prefix = bucket->depth == 0 ? 0 : first_slot << (64 - depth_);
  const EntryCodec from(bucket->depth, offset_bytes_);
  const EntryCodec to(depth, offset_bytes_);
  const uint32_t boundary = LowerBound(*bucket, from, prefix | 1ull << (64 - depth));
  Bucket* halves[2] = {
      NewBucket(depth, boundary + 1 + boundary / 16),
      NewBucket(depth, bucket->count - boundary + 1 + (bucket->count - boundary) / 16)};
  for (uint32_t i = 0; i < bucket->count; i++) {
    const std::byte* entry = bucket->entries() + i * from.bytes();
    Bucket& half = *halves[i >= boundary];
    to.Store(half.entries() + half.count++ * to.bytes(), from.Key(entry), from.Place(entry));
  }
  DeleteBucket(bucket);
  PointAt(first_slot, halves[0]);
  PointAt(second_slot, halves[1]);
}

void NeedleMap::PointAt(uint64_t slot, Bucket* bucket) {
  const uint32_t spare = depth_ - bucket->depth;
  const uint64_t first = slot >> spare << spare;
  for (uint64_t i = first; i < first + (1ull << spare); i++) directory_[i] = bucket;
}

void NeedleMap::Clear() {
  Bucket* previous = nullptr;
  for (Bucket* bucket : directory_) {
    if (bucket != previous) DeleteBucket(bucket);
    previous = bucket;
  }
  directory_.clear();
}

}  // namespace storage
