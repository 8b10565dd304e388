#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "storage/file_write.h"
#include "storage/superblock.h"
#include "storage/volume_info.h"
#include "storage/volume_paths.h"

// Answers an operator's questions about a volume on disk. Reads only and blocks; works beside a
// running volume server, on the generation that the paths name when it begins.
namespace storage {

struct VolumeReport {
  VolumePaths paths;
  std::optional<Superblock> superblock;
  std::optional<VolumeInfo> info;  // of the .vif, where there is one that can be understood
  uint64_t dat_bytes = 0;
  uint64_t idx_bytes = 0;
  uint64_t put_rows = 0;
  uint64_t delete_rows = 0;
  // Zero where the volume cannot be loaded; a problem says why.
  uint64_t live_count = 0;
  uint64_t deleted_count = 0;
  uint64_t live_bytes = 0;            // records of live needles, with header, footer and padding
  uint64_t garbage_bytes = 0;         // all else behind the superblock
  std::vector<std::string> problems;  // each a sentence without its full stop
};

/// Fails only when there is no such volume or it cannot be read at all.
[[nodiscard]] FileResult<VolumeReport> InspectVolume(const VolumePaths& paths);

struct ListedNeedle {
  uint64_t needle_id;
  uint32_t cookie;
  uint64_t offset;  // in the .dat, bytes
  int32_t size;     // as the index has it
};

/// The first `count_max` live needles by ascending id.
[[nodiscard]] FileResult<std::vector<ListedNeedle>> ListNeedles(const VolumePaths& paths,
                                                                uint64_t count_max);

struct VerifyProgress {
  uint64_t needles_done;
  uint64_t needles_total;
  uint64_t bytes_done;  // of records
};

struct NeedleProblem {
  uint64_t needle_id;
  uint64_t offset;  // in the .dat, bytes
  std::string text;
};

struct VerifyReport {
  uint64_t needles_checked = 0;
  uint64_t bytes_checked = 0;
  uint64_t empty_needles = 0;
  uint64_t legacy_checksums = 0;
  uint64_t problem_count = 0;
  std::vector<NeedleProblem> problems;  // the first kProblemsMax
};

inline constexpr uint64_t kProblemsMax = 100;

/// Reads every live needle whole, in the order of the .dat, and checks record, fields and checksum.
/// `on_progress` is called from time to time and at the end, on this thread.
[[nodiscard]] FileResult<VerifyReport> VerifyVolume(
    const VolumePaths& paths, const std::function<void(const VerifyProgress&)>& on_progress);

}  // namespace storage
