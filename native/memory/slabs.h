#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "memory/page_runs.h"

// Slabs of a range: up to 64 KiB from chunks of one size class, four classes a doubling (at most a
// quarter is wasted); larger ones are runs of 16 KiB pages of their own. One thread. Touches no
// byte of the range.
namespace memory {

inline constexpr uint64_t kPageBytes = 16ull << 10;

class Slabs {
 public:
  struct Slab {
    uint64_t offset;
    uint64_t bytes;
    uint32_t references;
    uint32_t chunk;  // kNoChunk: a run of its own
    uint32_t share;  // of the arena that it counts for
  };

  static constexpr uint64_t kSmallBytesMax = 64ull << 10;

  /// Slabs over `small_bytes_max`, at most kSmallBytesMax, have pages of their own.
  explicit Slabs(uint64_t range_bytes, uint64_t small_bytes_max = kSmallBytesMax);

  /// The number of a slab of at least `bytes`, with one reference.
  [[nodiscard]] std::optional<uint32_t> Allocate(uint64_t bytes);
  void Free(uint32_t slab);

  [[nodiscard]] Slab& at(uint32_t slab) { return slabs_[slab]; }
  [[nodiscard]] uint64_t bytes_leased() const { return bytes_leased_; }
  [[nodiscard]] uint64_t leased_count() const { return slabs_.size() - free_numbers_.size(); }

 private:
  static constexpr uint32_t kNoChunk = UINT32_MAX;
  static constexpr uint64_t kSmallBytesMin = 256;
  static constexpr uint32_t kClassCount = 4 * 8 + 1;  // 256 … 64 Ki, four a doubling
  static constexpr uint32_t kChunkPages = 16;         // 256 KiB
  static constexpr uint32_t kSlotsMax = kChunkPages * kPageBytes / kSmallBytesMin;

  struct Chunk {
    uint32_t page;
    uint32_t size_class;
    uint32_t slot_count;
    uint32_t slots_free;
    uint32_t listed_at;  // in with_room_[size_class]
    std::array<uint64_t, kSlotsMax / 64> free_slots;
  };
  struct Place {
    uint64_t offset;
    uint64_t bytes;
    uint32_t chunk;
  };

  [[nodiscard]] static uint32_t ClassOf(uint64_t bytes);
  [[nodiscard]] static uint64_t ClassBytes(uint32_t size_class);
  [[nodiscard]] std::optional<Place> TakeSlot(uint64_t bytes);
  [[nodiscard]] std::optional<Place> TakeRun(uint64_t bytes);
  [[nodiscard]] bool AddChunk(uint32_t size_class);
  void ReturnSlot(const Slab& slab);
  void List(uint32_t chunk);
  void Unlist(uint32_t chunk);

  const uint64_t small_bytes_max_;
  PageRuns runs_;
  std::vector<Slab> slabs_;
  std::vector<uint32_t> free_numbers_;
  std::vector<Chunk> chunks_;
  std::vector<uint32_t> free_chunks_;
  std::array<std::vector<uint32_t>, kClassCount> with_room_;  // chunks that have a free slot
  uint64_t bytes_leased_ = 0;
};

}  // namespace memory
