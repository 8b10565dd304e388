#pragma once

#include <sys/types.h>

#include <expected>
#include <span>
#include <string>
#include <vector>

#include "storage/volume_paths.h"

// Lists the volumes that the directories hold at this moment. Blocks on the directories: call it on
// an I/O thread.
namespace storage {

/// Which file a path names.
struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  [[nodiscard]] bool operator==(const FileId&) const = default;
};

struct FoundVolume {
  VolumePaths paths;
  FileId idx;
  FileId dat;                // zero where there is none: tiered, or about to vanish
  uint64_t fingerprint = 0;  // changes with the files' sizes and times
};

using FoundVolumes = std::expected<std::vector<FoundVolume>, std::string>;

/// Volumes with an .idx; of several directories the first one that holds an id wins. Directories
/// that cannot be read count as empty. Sorted by volume id. An error where this process lacks a
/// descriptor or memory to list them: nothing is known then.
[[nodiscard]] FoundVolumes ScanDirectories(std::span<const std::string> dirs,
                                           std::span<const std::string> idx_dirs);

/// The idx directory of dirs[index]: idx_dirs is empty, one for all, or one a directory.
[[nodiscard]] std::string IdxDirOf(std::span<const std::string> idx_dirs, size_t index);

}  // namespace storage
