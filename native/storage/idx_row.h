#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "storage/big_endian.h"

// A row of the .idx file: id u64, offset in 8-byte units, size i32 (specification, sections 1.3
// and 2.1).
namespace storage {

inline constexpr uint64_t kOffsetUnitBytes = 8;
/// The end of what offsets of 4 bytes reach. They wrap there in a longer file.
inline constexpr uint64_t kOffsetWrapBytes = uint64_t{32} << 30;

/// Where the record of a row lies in a .dat that has wrapped, if the one at `at` is of another
/// size than the row says.
[[nodiscard]] constexpr std::optional<uint64_t> SecondOffset(uint64_t at, uint32_t offset_bytes) {
  if (offset_bytes != 4 || at >= kOffsetWrapBytes) return std::nullopt;
  return at + kOffsetWrapBytes;
}

struct IdxRow {
  uint64_t needle_id;
  uint64_t offset_units;  // 0: no record
  int32_t size;           // negative: deleted

  [[nodiscard]] bool is_put() const { return offset_units != 0 && size >= 0; }
};

/// `offset_bytes` is 4 or 5; five hold the low 32 bits first and the high byte last.
[[nodiscard]] constexpr uint64_t IdxRowBytes(uint32_t offset_bytes) { return 12 + offset_bytes; }

[[nodiscard]] inline IdxRow ParseIdxRow(const std::byte* at, uint32_t offset_bytes) {
  uint64_t units = LoadBig<uint32_t>(at + 8);
  if (offset_bytes == 5) units |= std::to_integer<uint64_t>(at[12]) << 32;
  return {LoadBig<uint64_t>(at), units, LoadBig<int32_t>(at + 8 + offset_bytes)};
}

inline void EncodeIdxRow(const IdxRow& row, uint32_t offset_bytes, std::byte* at) {
  StoreBig(at, row.needle_id);
  StoreBig(at + 8, static_cast<uint32_t>(row.offset_units));
  if (offset_bytes == 5) at[12] = static_cast<std::byte>(row.offset_units >> 32);
  StoreBig(at + 8 + offset_bytes, row.size);
}

}  // namespace storage
