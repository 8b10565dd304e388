#include "storage/superblock.h"

#include <array>

#include "storage/big_endian.h"

namespace storage {

std::optional<Superblock> ParseSuperblock(std::span<const std::byte> bytes) {
  if (bytes.size() < kSuperblockBytes) return std::nullopt;
  Superblock superblock{
      .version = std::to_integer<uint8_t>(bytes[0]),
      .replica_placement = std::to_integer<uint8_t>(bytes[1]),
      .ttl_count = std::to_integer<uint8_t>(bytes[2]),
      .ttl_unit = std::to_integer<uint8_t>(bytes[3]),
      .compaction_revision = LoadBig<uint16_t>(&bytes[4]),
      .extra_bytes = LoadBig<uint16_t>(&bytes[6]),
  };
  if (superblock.version < 1 || superblock.version > 3) return std::nullopt;
  if (superblock.version == 1) superblock.extra_bytes = 0;
  return superblock;
}

void EncodeSuperblock(const Superblock& superblock, std::span<std::byte, kSuperblockBytes> bytes) {
  bytes[0] = std::byte{superblock.version};
  bytes[1] = std::byte{superblock.replica_placement};
  bytes[2] = std::byte{superblock.ttl_count};
  bytes[3] = std::byte{superblock.ttl_unit};
  StoreBig(&bytes[4], superblock.compaction_revision);
  StoreBig(&bytes[6], superblock.extra_bytes);
}

uint64_t TtlMinutes(uint8_t count, uint8_t unit) {
  constexpr uint64_t kDay = uint64_t{24} * 60;
  constexpr std::array<uint64_t, 7> kMinutes{0, 1, 60, kDay, 7 * kDay, 30 * kDay, 365 * kDay};
  return unit < kMinutes.size() ? count * kMinutes[unit] : 0;
}

}  // namespace storage
