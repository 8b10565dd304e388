#include "memory/slabs.h"

#include <bit>

#include "memory/check.h"

namespace memory {

Slabs::Slabs(uint64_t range_bytes, uint64_t small_bytes_max)
    : small_bytes_max_(small_bytes_max), runs_(static_cast<uint32_t>(range_bytes / kPageBytes)) {
  CHECK(small_bytes_max <= kSmallBytesMax);
}

std::optional<uint32_t> Slabs::Allocate(uint64_t bytes) {
  const auto place = bytes <= small_bytes_max_ ? TakeSlot(bytes) : TakeRun(bytes);
  if (!place) return std::nullopt;
  uint32_t number;
  if (free_numbers_.empty()) {
    number = static_cast<uint32_t>(slabs_.size());
    slabs_.emplace_back();
  } else {
    number = free_numbers_.back();
    free_numbers_.pop_back();
  }
  slabs_[number] = {place->offset, place->bytes, 1, place->chunk, 0};
  bytes_leased_ += place->bytes;
  return number;
}

void Slabs::Free(uint32_t number) {
  const Slab slab = slabs_[number];
  CHECK(slab.references == 0);
  bytes_leased_ -= slab.bytes;
  free_numbers_.push_back(number);
  if (slab.chunk == kNoChunk) {
    runs_.Free(static_cast<uint32_t>(slab.offset / kPageBytes));
  } else {
    ReturnSlot(slab);
  }
}

// Class 4k+j holds (4+j)/4 · 256 · 2^k bytes.
uint32_t Slabs::ClassOf(uint64_t bytes) {
  if (bytes <= kSmallBytesMin) return 0;
  const uint64_t last = bytes - 1;
  const auto log = static_cast<uint32_t>(std::bit_width(last)) - 1;  // >= 8
  const auto quarter = static_cast<uint32_t>((last >> (log - 2)) & 3);
  return (log - 8) * 4 + quarter + 1;
}

uint64_t Slabs::ClassBytes(uint32_t size_class) {
  return (kSmallBytesMin / 4 * (4 + size_class % 4)) << (size_class / 4);
}

std::optional<Slabs::Place> Slabs::TakeSlot(uint64_t bytes) {
  const uint32_t size_class = ClassOf(bytes);
  auto& listed = with_room_[size_class];
  if (listed.empty() && !AddChunk(size_class)) return TakeRun(bytes);
  const uint32_t number = listed.back();
  Chunk& chunk = chunks_[number];
  uint32_t word = 0;
  while (chunk.free_slots[word] == 0) word++;
  const auto bit = static_cast<uint32_t>(std::countr_zero(chunk.free_slots[word]));
  chunk.free_slots[word] &= chunk.free_slots[word] - 1;
  if (--chunk.slots_free == 0) Unlist(number);
  const uint64_t slot_bytes = ClassBytes(size_class);
  const uint64_t offset = chunk.page * kPageBytes + (word * 64 + bit) * slot_bytes;
  return Place{offset, slot_bytes, number};
}

std::optional<Slabs::Place> Slabs::TakeRun(uint64_t bytes) {
  const uint64_t pages = (bytes + kPageBytes - 1) / kPageBytes;
  if (pages > UINT32_MAX / 2) return std::nullopt;
  const auto first = runs_.Allocate(static_cast<uint32_t>(pages));
  if (!first) return std::nullopt;
  return Place{*first * kPageBytes, pages * kPageBytes, kNoChunk};
}

bool Slabs::AddChunk(uint32_t size_class) {
  const auto page = runs_.Allocate(kChunkPages);
  if (!page) return false;
  uint32_t number;
  if (free_chunks_.empty()) {
    number = static_cast<uint32_t>(chunks_.size());
    chunks_.emplace_back();
  } else {
    number = free_chunks_.back();
    free_chunks_.pop_back();
  }
  const auto slots = static_cast<uint32_t>(kChunkPages * kPageBytes / ClassBytes(size_class));
  Chunk& chunk = chunks_[number];
  chunk = {*page, size_class, slots, slots, 0, {}};
  for (uint32_t slot = 0; slot < slots; slot++) chunk.free_slots[slot / 64] |= 1ull << (slot % 64);
  List(number);
  return true;
}

void Slabs::ReturnSlot(const Slab& slab) {
  Chunk& chunk = chunks_[slab.chunk];
  const uint64_t within = slab.offset - chunk.page * kPageBytes;
  const uint64_t slot = within / ClassBytes(chunk.size_class);
  chunk.free_slots[slot / 64] |= 1ull << (slot % 64);
  if (chunk.slots_free++ == 0) List(slab.chunk);
  if (chunk.slots_free < chunk.slot_count) return;
  Unlist(slab.chunk);
  runs_.Free(chunk.page);
  free_chunks_.push_back(slab.chunk);
}

void Slabs::List(uint32_t chunk) {
  auto& listed = with_room_[chunks_[chunk].size_class];
  chunks_[chunk].listed_at = static_cast<uint32_t>(listed.size());
  listed.push_back(chunk);
}

void Slabs::Unlist(uint32_t chunk) {
  auto& listed = with_room_[chunks_[chunk].size_class];
  const uint32_t at = chunks_[chunk].listed_at;
  listed[at] = listed.back();
  chunks_[listed[at]].listed_at = at;
  listed.pop_back();
}

}  // namespace memory
