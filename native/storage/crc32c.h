#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

// CRC32-C (Castagnoli) as SeaweedFS stores it: of a needle's stored data alone.
namespace storage {

/// The checksum of `bytes` after those that gave `before`; 0 begins.
[[nodiscard]] uint32_t Crc32c(uint32_t before, std::span<const std::byte> bytes);

/// The value that volume servers before 3.09 stored for a computed checksum (specification, section
/// 1.2).
[[nodiscard]] constexpr uint32_t LegacyChecksum(uint32_t crc) {
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

/// Either stored form is accepted.
[[nodiscard]] constexpr bool ChecksumMatches(uint32_t stored, uint32_t computed) {
  return stored == computed || stored == LegacyChecksum(computed);
}

/// How this process computes it: "sse4.2", "aarch64" or "table".
[[nodiscard]] std::string_view Crc32cMethod();

/// The portable form, for comparison in tests.
[[nodiscard]] uint32_t Crc32cTable(uint32_t before, std::span<const std::byte> bytes);

}  // namespace storage
