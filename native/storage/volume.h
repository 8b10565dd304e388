#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "storage/catalogue.h"
#include "storage/needle_map.h"
#include "storage/superblock.h"
#include "storage/unique_fd.h"
#include "storage/volume_info.h"
#include "storage/volume_paths.h"

// One generation of a volume: the pair of files that were opened together, and what their .idx said
// so far. Loading follows specification section 13.4 and blocks: I/O threads only.
namespace storage {

/// The descriptors, shared with reads that outlive the generation.
struct VolumeFiles {
  UniqueFd idx;
  UniqueFd dat;
};

enum class LoadFailure {
  kMissing,      // .idx or .dat is not there
  kUnsettled,    // a vacuum commit or a copy is under way, or the files changed while being opened:
                 // try again
  kUnsupported,  // superblock extra, unknown version, tiered, torn .idx, .vif that cannot be
                 // understood
  kNoDescriptors,  // RLIMIT_NOFILE leaves none for this volume
  kFailed,         // permission or I/O error
};

struct LoadError {
  LoadFailure failure;
  std::string detail;
};

struct Volume {
  VolumePaths paths;
  std::shared_ptr<const VolumeFiles> files;
  FileId idx_id;
  FileId dat_id;
  Superblock superblock{};
  VolumeInfo info;
  uint64_t epoch = 0;    // random, never used again
  uint64_t applied = 0;  // bytes of the .idx that the map contains: the position
  NeedleMap map{4};

  [[nodiscard]] uint64_t row_bytes() const { return IdxRowBytes(info.offset_bytes); }

  [[nodiscard]] static std::expected<std::unique_ptr<Volume>, LoadError> Load(
      const VolumePaths& paths);
};

[[nodiscard]] inline FileId FileIdOf(const struct stat& file) { return {file.st_dev, file.st_ino}; }

/// A random 64-bit number, never 0.
[[nodiscard]] uint64_t DrawEpoch();

}  // namespace storage
