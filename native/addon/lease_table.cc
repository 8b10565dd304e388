#include "addon/lease_table.h"

#include <utility>

namespace addon {

uint32_t LeaseTable::Put(memory::Lease&& lease) {
  uint32_t index = 0;
  if (!free_.empty()) {
    index = free_.back();
    free_.pop_back();
  } else {
    if (rows_.size() > kIndexMask) return 0;
    index = static_cast<uint32_t>(rows_.size());
    rows_.emplace_back();
  }
  Row& row = rows_[index];
  row.lease = std::move(lease);
  return static_cast<uint32_t>(row.generation) << kIndexBits | index;
}

void LeaseTable::Release(uint32_t handle) {
  const uint32_t index = handle & kIndexMask;
  if (index >= rows_.size()) return;
  Row& row = rows_[index];
  if (row.generation != handle >> kIndexBits || !row.lease) return;
  row.lease.Reset();
  row.generation =
      row.generation == UINT8_MAX ? uint8_t{1} : static_cast<uint8_t>(row.generation + 1);
  free_.push_back(index);
}

}  // namespace addon
