#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "storage/file_read.h"
#include "storage/volume.h"

// The end of a growing .idx: rows that were appended after a generation was loaded.
namespace engine {

/// Applies the whole rows up to `idx_bytes`. False when they could not be read; the volume is then
/// to be loaded anew (Blocking::kYes) or asked again on an I/O thread (Blocking::kNo).
[[nodiscard]] bool ApplyTail(storage::Volume& volume, uint64_t idx_bytes,
                             storage::Blocking blocking);

/// Distinct ids of the rows from `position` to what is applied; nothing when there are more than
/// can be told, the position is not one of this generation, or the rows are not in the page cache.
[[nodiscard]] std::optional<std::vector<uint64_t>> ChangedSince(const storage::Volume& volume,
                                                                uint64_t position);

}  // namespace engine
