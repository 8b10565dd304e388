#pragma once

#include <cstdint>
#include <string>

#include "storage/writer.h"

// The volume server's vacuum (specification, section 13.3), in its two steps and with its order of
// renames, so that readers meet in tests what they meet beside a real one.
namespace storage {

struct VacuumReport {
  uint64_t bytes_before = 0;  // of the .dat
  uint64_t bytes_after = 0;
  uint64_t needles_kept = 0;
  uint64_t needles_expired = 0;     // dropped, by the volume server's own odd rule
  uint64_t needles_unreadable = 0;  // dropped
  uint64_t rows_caught_up = 0;      // written between the steps
};

class Vacuum {
 public:
  /// Copies the live needles to .cpd and .cpx; the volume can be written to meanwhile. Throws away
  /// what an earlier vacuum left.
  [[nodiscard]] static FileResult<Vacuum> Compact(VolumeWriter& writer);

  /// Catches up and puts the new files in the place of the old ones; once. When catching up fails,
  /// the copies are removed and the writer goes on; when it fails later, the writer is closed, as a
  /// volume server closes the volume.
  [[nodiscard]] FileResult<VacuumReport> Commit();

 private:
  explicit Vacuum(VolumeWriter& writer);

  [[nodiscard]] FileResult<void> CopyLive();
  [[nodiscard]] FileResult<void> CopyNeedle(const NeedleMap::Item& item, uint64_t now_s);
  [[nodiscard]] FileResult<void> CatchUp();
  [[nodiscard]] FileResult<void> CatchUpRow(const IdxRow& row);
  [[nodiscard]] FileResult<void> Add(IdxRow row, std::span<const std::byte> record);
  [[nodiscard]] FileResult<void> Swap();
  void Abandon() const;

  VolumeWriter* writer_;
  std::string dat_path_;  // .cpd
  std::string idx_path_;  // .cpx
  UniqueFd dat_;
  UniqueFd idx_;
  uint64_t dat_bytes_ = 0;
  uint64_t idx_bytes_ = 0;
  uint64_t copied_to_;  // of the old .idx
  std::vector<std::byte> read_buffer_;
  std::vector<std::byte> record_;
  VacuumReport report_;
};

}  // namespace storage
