#pragma once

#include <cstdint>
#include <vector>

#include "memory/arena.h"

namespace addon {

/// The leases that JavaScript holds, by handle: 24 bits of index, 8 of generation, never 0. A
/// handle that was given back and is given back again does nothing as long as its generation has
/// not come round.
class LeaseTable {
 public:
  /// 0 when the table is full: 16 million leases are out.
  [[nodiscard]] uint32_t Put(memory::Lease&& lease);
  void Release(uint32_t handle);

 private:
  static constexpr uint32_t kIndexBits = 24;
  static constexpr uint32_t kIndexMask = (1u << kIndexBits) - 1;

  struct Row {
    memory::Lease lease;
    uint8_t generation = 1;
  };
  std::vector<Row> rows_;
  std::vector<uint32_t> free_;
};

}  // namespace addon
