#include "storage/inspect.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <iterator>
#include <thread>
#include <utility>

#include "storage/file_read.h"
#include "storage/needle_record.h"
#include "storage/volume.h"

namespace storage {
namespace {

using std::unexpected;

constexpr uint64_t kRowsPerRead = 1 << 16;
constexpr std::chrono::milliseconds kWritePause(50);

/// Zero for a file that is not there.
uint64_t BytesOf(const std::string& path) {
  struct stat file{};
  return stat(path.c_str(), &file) == 0 ? static_cast<uint64_t>(file.st_size) : 0;
}

void InspectLeftovers(VolumeReport& report) {
  const VolumePaths& paths = report.paths;
  const auto found = [&](const std::string& path, const char* meaning) {
    if (Exists(path)) report.problems.push_back(path + " exists: " + meaning);
  };
  found(paths.base + ".cpc", "a vacuum is being committed, or was interrupted then");
  found(paths.base + ".cpd", "a vacuum is running, or was interrupted");
  found(paths.base + ".note",
        "a copy is in progress; a volume server that starts now deletes the volume");
}

void InspectInfo(VolumeReport& report) {
  const std::string path = report.paths.base + ".vif";
  std::ifstream file(path, std::ios::binary);
  if (!file) return;
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  report.info = ParseVolumeInfo(text);
  if (!report.info) {
    report.problems.push_back(path + " cannot be understood");
    return;
  }
  if (report.info->is_read_only) {
    report.problems.push_back(path + " says that the volume is read-only");
  }
  if (report.info->is_tiered) {
    report.problems.push_back(path + " says that the data lies elsewhere");
  }
}

void InspectSuperblock(int dat_fd, VolumeReport& report) {
  std::array<std::byte, kSuperblockBytes> bytes;
  if (ReadAt(dat_fd, bytes, 0, Blocking::kYes) == ReadOutcome::kDone) {
    report.superblock = ParseSuperblock(bytes);
  }
  const std::string path = report.paths.dat();
  if (!report.superblock) {
    report.problems.push_back(path + " has no superblock of version 1 to 3");
    return;
  }
  if (report.superblock->extra_bytes != 0) {
    report.problems.push_back(path +
                              " has an extra block, with which SeaweedFS 4.44 cannot load it");
  }
  if (report.info && report.info->version != 0 &&
      report.info->version != report.superblock->version) {
    report.problems.push_back("the .vif states another version than the superblock, which wins");
  }
}

/// Counts rows and finds the end of the record that lies last in the .dat.
struct RowWalk {
  uint64_t put_rows = 0;
  uint64_t delete_rows = 0;
  uint64_t last_at = 0;
  uint64_t last_end = 0;
  uint64_t rows_beyond_end = 0;

  void Add(const IdxRow& row, uint8_t version, uint64_t dat_bytes) {
    (row.is_put() ? put_rows : delete_rows)++;
    if (row.offset_units == 0) return;
    const uint64_t at = row.offset_units * kOffsetUnitBytes;
    const uint64_t size = row.size < 0 ? 0 : static_cast<uint64_t>(row.size);
    const uint64_t end = at + RecordBytes(version, size);
    if (end > dat_bytes) rows_beyond_end++;
    if (at < last_at) return;
    last_at = at;
    last_end = end;
  }
};

/// False when the file cannot be read to the end.
bool WalkRows(const Volume& volume, uint64_t dat_bytes, RowWalk& walk) {
  const uint64_t row_bytes = volume.row_bytes();
  std::vector<std::byte> chunk(kRowsPerRead * row_bytes);
  for (uint64_t at = 0; at < volume.applied; at += chunk.size()) {
    const auto rows = std::span(chunk).first(std::min<uint64_t>(chunk.size(), volume.applied - at));
    const ReadOutcome outcome = ReadAt(volume.files->idx.get(), rows, at, Blocking::kYes);
    if (outcome != ReadOutcome::kDone) return false;
    for (uint64_t row = 0; row < rows.size(); row += row_bytes) {
      walk.Add(ParseIdxRow(&rows[row], volume.info.offset_bytes), volume.superblock.version,
               dat_bytes);
    }
  }
  return true;
}

/// A volume server writes the record first, then the row.
bool IsBeingWritten(const Volume& volume) {
  std::this_thread::sleep_for(kWritePause);
  const auto bytes = FileBytes(volume.files->idx.get(), volume.paths.idx());
  return bytes && *bytes > volume.applied;
}

void InspectRows(const Volume& volume, VolumeReport& report) {
  RowWalk walk;
  if (!WalkRows(volume, report.dat_bytes, walk)) {
    report.problems.push_back(report.paths.idx() + " cannot be read to its end");
    return;
  }
  report.put_rows = walk.put_rows;
  report.delete_rows = walk.delete_rows;
  // Offsets that have wrapped do not tell where the last record is.
  if (volume.info.offset_bytes == 4 && report.dat_bytes > kOffsetWrapBytes) return;
  if (walk.rows_beyond_end > 0) {
    report.problems.push_back(std::to_string(walk.rows_beyond_end) +
                              " rows of the .idx point past the end of the .dat");
  }
  // The volume server marks such a volume read-only when it loads it.
  if (walk.last_end != 0 && walk.last_end < report.dat_bytes && !IsBeingWritten(volume)) {
    report.problems.push_back("the .dat goes on for " +
                              std::to_string(report.dat_bytes - walk.last_end) +
                              " bytes behind the last record that the .idx knows");
  }
  const bool has_rows = walk.put_rows + walk.delete_rows > 0;
  if (!has_rows && report.dat_bytes > kSuperblockBytes && !IsBeingWritten(volume)) {
    report.problems.push_back("the .idx is empty and the .dat is not");
  }
}

void InspectNeedles(const Volume& volume, VolumeReport& report) {
  report.live_count = volume.map.live_count();
  report.deleted_count = volume.map.deleted_count();
  for (const NeedleMap::Item& item : volume.map.Items()) {
    if (item.place.size < 0) continue;
    report.live_bytes +=
        RecordBytes(volume.superblock.version, static_cast<uint64_t>(item.place.size));
  }
  const uint64_t used_bytes = std::min(report.dat_bytes, kSuperblockBytes + report.live_bytes);
  report.garbage_bytes = report.dat_bytes - used_bytes;
}

}  // namespace

FileResult<VolumeReport> InspectVolume(const VolumePaths& paths) {
  if (!Exists(paths.dat()) && !Exists(paths.idx())) {
    return unexpected(paths.base + ": there is no such volume");
  }
  VolumeReport report;
  report.paths = paths;
  InspectLeftovers(report);
  InspectInfo(report);
  const auto volume = Volume::Load(paths);
  if (!volume) {
    // The superblock may still tell something.
    const UniqueFd dat(open(paths.dat().c_str(), O_RDONLY | O_CLOEXEC));
    if (dat) InspectSuperblock(dat.get(), report);
    report.dat_bytes = BytesOf(paths.dat());
    report.idx_bytes = BytesOf(paths.idx());
    report.problems.push_back("the volume cannot be loaded: " + volume.error().detail);
    return report;
  }
  const auto dat_bytes = FileBytes((*volume)->files->dat.get(), paths.dat());
  if (!dat_bytes) return unexpected(dat_bytes.error());
  report.dat_bytes = *dat_bytes;
  report.idx_bytes = (*volume)->applied;
  InspectSuperblock((*volume)->files->dat.get(), report);
  InspectRows(**volume, report);
  InspectNeedles(**volume, report);
  return report;
}

FileResult<std::vector<ListedNeedle>> ListNeedles(const VolumePaths& paths, uint64_t count_max) {
  const auto volume = Volume::Load(paths);
  if (!volume) return unexpected(volume.error().detail);
  std::vector<ListedNeedle> listed;
  for (const NeedleMap::Item& item : (*volume)->map.Items()) {
    if (item.place.size < 0) continue;
    if (listed.size() == count_max) break;
    const uint64_t at = item.place.offset_units * kOffsetUnitBytes;
    std::array<std::byte, kNeedleHeaderBytes> header;
    if (ReadAt((*volume)->files->dat.get(), header, at, Blocking::kYes) != ReadOutcome::kDone) {
      return unexpected(paths.dat() + ": there is no record at " + std::to_string(at));
    }
    listed.push_back({item.needle_id, ParseNeedleHeader(header).cookie, at, item.place.size});
  }
  return listed;
}

}  // namespace storage
