#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

// Big-endian integers of volume files, at any alignment.
namespace storage {

template <typename Integer>
[[nodiscard]] inline Integer LoadBig(const std::byte* at) {
  Integer value;
  std::memcpy(&value, at, sizeof value);
  return std::byteswap(value);
}

template <typename Integer>
inline void StoreBig(std::byte* at, Integer value) {
  value = std::byteswap(value);
  std::memcpy(at, &value, sizeof value);
}

}  // namespace storage
