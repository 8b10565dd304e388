#include <algorithm>
#include <chrono>

#include "storage/inspect.h"
#include "storage/volume.h"
#include "storage/whole_needle.h"

namespace storage {
namespace {

using std::unexpected;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kProgressInterval(100);

void AddProblem(VerifyReport& report, const NeedleMap::Item& item, std::string text) {
  report.problem_count++;
  if (report.problems.size() == kProblemsMax) return;
  const uint64_t at = item.place.offset_units * kOffsetUnitBytes;
  report.problems.push_back({item.needle_id, at, std::move(text)});
}

void CheckRecord(const NeedleMap::Item& item, const NeedleRead& read, VerifyReport& report) {
  if (read.fault != NeedleFault::kNone) {
    AddProblem(report, item, FaultText(read.fault));
    return;
  }
  const WholeNeedle& needle = read.needle;
  // A volume server serves such a needle all the same: the index alone decides.
  if (needle.header.needle_id != item.needle_id) {
    AddProblem(report, item,
               "the record is that of needle " + std::to_string(needle.header.needle_id));
  }
  if (needle.data.empty()) {
    report.empty_needles++;
  } else if (needle.tail.checksum != needle.computed_checksum) {
    report.legacy_checksums++;
  }
}

}  // namespace

FileResult<VerifyReport> VerifyVolume(
    const VolumePaths& paths, const std::function<void(const VerifyProgress&)>& on_progress) {
  const auto volume = Volume::Load(paths);
  if (!volume) return unexpected(volume.error().detail);
  const int dat_fd = (*volume)->files->dat.get();
  const auto dat_bytes = FileBytes(dat_fd, paths.dat());
  if (!dat_bytes) return unexpected(dat_bytes.error());
  std::vector<NeedleMap::Item> items = (*volume)->map.Items();
  std::erase_if(items, [](const NeedleMap::Item& item) { return item.place.size < 0; });
  std::ranges::sort(items, {}, [](const NeedleMap::Item& item) { return item.place.offset_units; });

  const uint8_t version = (*volume)->superblock.version;
  const DatFile dat{dat_fd, *dat_bytes, version, (*volume)->info.offset_bytes};
  std::vector<std::byte> buffer;
  VerifyReport report;
  auto told_at = Clock::now();
  const auto tell = [&] {
    if (on_progress) on_progress({report.needles_checked, items.size(), report.bytes_checked});
  };
  for (const NeedleMap::Item& item : items) {
    CheckRecord(item, ReadWholeNeedle(dat, item.place, buffer), report);
    report.needles_checked++;
    report.bytes_checked += RecordBytes(version, static_cast<uint64_t>(item.place.size));
    const auto now = Clock::now();
    if (now - told_at < kProgressInterval) continue;
    told_at = now;
    tell();
  }
  tell();
  return report;
}

}  // namespace storage
