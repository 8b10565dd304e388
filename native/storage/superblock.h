#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

// The first 8 bytes of a .dat file (specification, section 1.1).
namespace storage {

inline constexpr uint64_t kSuperblockBytes = 8;

struct Superblock {
  uint8_t version;            // 1, 2, 3
  uint8_t replica_placement;  // dc*100 + rack*10 + node
  uint8_t ttl_count;
  uint8_t ttl_unit;
  uint16_t compaction_revision;
  uint16_t extra_bytes;  // not 0: the volume server cannot load the volume
};

/// Nothing when the bytes are too few or the version is unknown.
[[nodiscard]] std::optional<Superblock> ParseSuperblock(std::span<const std::byte> bytes);
void EncodeSuperblock(const Superblock& superblock, std::span<std::byte, kSuperblockBytes> bytes);

/// Minutes of a stored ttl; 0 when there is none: count 0 or an unknown unit.
[[nodiscard]] uint64_t TtlMinutes(uint8_t count, uint8_t unit);

}  // namespace storage
