#include "engine/idx_tail.h"

#include <algorithm>

#include "protocol/wire.h"

namespace engine {
namespace {

constexpr uint64_t kChunkRows = 4096;
// Rows that are read to find the distinct ids among them; a bound on the work, beyond it "flush".
constexpr uint64_t kChangedRowsMax = uint64_t{4} * protocol::kChangedIdsMax;

// Rows that were just appended are in the page cache; where the file system cannot confirm it,
// reading them is still no wait for a disk.
bool ReadRows(const storage::Volume& volume, std::span<std::byte> rows, uint64_t at,
              storage::Blocking blocking) {
  const int fd = volume.files->idx.get();
  auto outcome = storage::ReadAt(fd, rows, at, blocking);
  if (outcome == storage::ReadOutcome::kCannotTell)
    outcome = storage::ReadAt(fd, rows, at, storage::Blocking::kYes);
  return outcome == storage::ReadOutcome::kDone;
}

}  // namespace

bool ApplyTail(storage::Volume& volume, uint64_t idx_bytes, storage::Blocking blocking) {
  const uint64_t row_bytes = volume.row_bytes();
  const uint64_t end = idx_bytes / row_bytes * row_bytes;
  std::vector<std::byte> chunk;
  while (volume.applied < end) {
    chunk.resize(std::min(end - volume.applied, kChunkRows * row_bytes));
    if (!ReadRows(volume, chunk, volume.applied, blocking)) return false;
    for (uint64_t at = 0; at < chunk.size(); at += row_bytes) {
      volume.map.Apply(storage::ParseIdxRow(&chunk[at], volume.info.offset_bytes));
    }
    volume.applied += chunk.size();
  }
  return true;
}

std::optional<std::vector<uint64_t>> ChangedSince(const storage::Volume& volume,
                                                  uint64_t position) {
  const uint64_t row_bytes = volume.row_bytes();
  if (position > volume.applied || position % row_bytes != 0) return std::nullopt;
  const uint64_t row_count = (volume.applied - position) / row_bytes;
  std::vector<uint64_t> ids;
  if (row_count == 0) return ids;
  if (row_count > kChangedRowsMax) return std::nullopt;
  std::vector<std::byte> rows(row_count * row_bytes);
  if (!ReadRows(volume, rows, position, storage::Blocking::kNo)) return std::nullopt;
  ids.reserve(row_count);
  for (uint64_t at = 0; at < rows.size(); at += row_bytes) {
    ids.push_back(storage::LoadBig<uint64_t>(&rows[at]));
  }
  std::ranges::sort(ids);
  ids.erase(std::ranges::unique(ids).begin(), ids.end());
  if (ids.size() > protocol::kChangedIdsMax) return std::nullopt;
  return ids;
}

}  // namespace engine
