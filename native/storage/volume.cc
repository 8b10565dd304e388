#include "storage/volume.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include "memory/check.h"
#include "storage/descriptor_reserve.h"
#include "storage/file_read.h"
#include "storage/needle_map_load.h"

namespace storage {
namespace {

using std::unexpected;
using Step = std::expected<void, LoadError>;

constexpr uint64_t kChunkBytes = 1 << 20;  // rounded down to whole rows where rows are read
constexpr uint64_t kVifBytesMax = 1 << 20;
constexpr int kRewriteTries = 10;  // looks at a file that may be in the middle of being written
constexpr std::chrono::milliseconds kRewritePause(5);

LoadError Errno(const std::string& path) {
  const bool is_missing = errno == ENOENT;
  const bool is_limit = errno == EMFILE || errno == ENFILE;
  return {is_missing ? LoadFailure::kMissing
          : is_limit ? LoadFailure::kNoDescriptors
                     : LoadFailure::kFailed,
          path + ": " + std::strerror(errno)};
}

LoadError Unsupported(const std::string& detail) { return {LoadFailure::kUnsupported, detail}; }

std::expected<UniqueFd, LoadError> Open(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return unexpected(Errno(path));
  if (IsOfReserve(fd.get(), DescriptorLimit()))
    return unexpected(LoadError{LoadFailure::kNoDescriptors, path + ": too many files are open"});
  return fd;
}

std::expected<std::string, LoadError> ReadText(const std::string& path) {
  std::string text;
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return text;
  if (!fd) return unexpected(Errno(path));
  std::array<char, 4096> chunk;
  ssize_t count = 0;
  while (text.size() < kVifBytesMax && (count = read(fd.get(), chunk.data(), chunk.size())) > 0) {
    text.append(chunk.data(), static_cast<size_t>(count));
  }
  if (count < 0) return unexpected(Errno(path));
  return text;
}

// The .vif is truncated and rewritten in place: empty or half a text may be one moment of that, so
// only what stays so is believed. Empty then counts as absent.
std::expected<VolumeInfo, LoadError> LoadInfo(const std::string& path) {
  for (int i = 0;; i++) {
    const auto text = ReadText(path);
    if (!text) return unexpected(text.error());
    const auto info = ParseVolumeInfo(*text);
    const bool is_final = i == kRewriteTries || (text->empty() && !Exists(path));
    if (info && (!text->empty() || is_final)) return *info;
    if (is_final) return unexpected(Unsupported(path + " cannot be understood"));
    std::this_thread::sleep_for(kRewritePause);
  }
}

std::expected<FileId, LoadError> IdOf(int fd) {
  struct stat file{};
  if (fstat(fd, &file) != 0) return unexpected(Errno("fstat"));
  return FileIdOf(file);
}

bool StillNames(const std::string& path, const FileId& id) {
  struct stat file{};
  return stat(path.c_str(), &file) == 0 && FileIdOf(file) == id;
}

// Both files must belong together: a vacuum commit renames one after the other, under its marker
// .cpc.
Step RequireSettled(const Volume& volume) {
  const VolumePaths& paths = volume.paths;
  const auto unsettled = [&](const char* why) {
    return unexpected(LoadError{LoadFailure::kUnsettled, paths.base + ": " + why});
  };
  if (Exists(paths.base + ".cpc")) return unsettled("a vacuum is being committed");
  if (Exists(paths.base + ".note")) return unsettled("a copy is in progress");
  if (Exists(paths.idx_base + ".cpx") && !Exists(paths.base + ".cpd")) {
    return unsettled("a vacuum commit stopped half-way");
  }
  if (!StillNames(paths.idx(), volume.idx_id) || !StillNames(paths.dat(), volume.dat_id)) {
    return unsettled("the files were replaced while being opened");
  }
  return {};
}

Step LoadSuperblock(Volume& volume) {
  std::array<std::byte, kSuperblockBytes> bytes;
  const ReadOutcome outcome = ReadAt(volume.files->dat.get(), bytes, 0, Blocking::kYes);
  if (outcome == ReadOutcome::kFailed) return unexpected(Errno(volume.paths.dat()));
  const auto superblock = outcome == ReadOutcome::kDone ? ParseSuperblock(bytes) : std::nullopt;
  if (!superblock)
    return unexpected(Unsupported(volume.paths.dat() + ": no superblock of version 1 to 3"));
  if (superblock->extra_bytes != 0) {
    return unexpected(Unsupported(volume.paths.dat() + ": a superblock with an extra block"));
  }
  volume.superblock = *superblock;
  return {};
}

// Whole rows only. A remainder that stays is a torn .idx, which the volume server does not load;
// one that goes away was a row being appended.
std::expected<uint64_t, LoadError> WholeRowBytes(const Volume& volume) {
  for (int i = 0; i < kRewriteTries; i++) {
    struct stat file{};
    if (fstat(volume.files->idx.get(), &file) != 0) return unexpected(Errno(volume.paths.idx()));
    const auto bytes = static_cast<uint64_t>(file.st_size);
    if (bytes % volume.row_bytes() == 0) return bytes;
    std::this_thread::sleep_for(kRewritePause);
  }
  return unexpected(Unsupported(volume.paths.idx() + ": its length is not a multiple of a row"));
}

template <typename Consume>
Step ForEachChunk(const Volume& volume, uint64_t bytes, Consume consume) {
  std::vector<std::byte> chunk(kChunkBytes / volume.row_bytes() * volume.row_bytes());
  for (uint64_t at = 0; at < bytes; at += chunk.size()) {
    const auto part = std::span(chunk).first(std::min<uint64_t>(chunk.size(), bytes - at));
    if (ReadAt(volume.files->idx.get(), part, at, Blocking::kYes) != ReadOutcome::kDone ||
        !consume(part)) {
      return unexpected(
          LoadError{LoadFailure::kUnsettled, volume.paths.idx() + ": changed while being read"});
    }
  }
  return {};
}

Step Replay(Volume& volume) {
  const auto bytes = WholeRowBytes(volume);
  if (!bytes) return unexpected(bytes.error());
  volume.map = NeedleMap(volume.info.offset_bytes);
  NeedleMapLoad load(volume.map, *bytes / volume.row_bytes());
  const Step counted = ForEachChunk(volume, *bytes, [&](auto rows) {
    load.Count(rows);
    return true;
  });
  if (!counted) return counted;
  load.Begin();
  const Step added = ForEachChunk(volume, *bytes, [&](auto rows) { return load.Add(rows); });
  if (!added) return added;
  load.Finish();
  volume.applied = *bytes;
  return {};
}

}  // namespace

std::expected<std::unique_ptr<Volume>, LoadError> Volume::Load(const VolumePaths& paths) {
  if (paths.is_ambiguous) {
    return unexpected(
        Unsupported(paths.base + ": another volume of its directory has the same id"));
  }
  auto volume = std::make_unique<Volume>();
  volume->paths = paths;
  auto idx = Open(paths.idx());
  if (!idx) return unexpected(idx.error());
  auto info = LoadInfo(paths.base + ".vif");
  if (!info) return unexpected(info.error());
  if (info->is_tiered) return unexpected(Unsupported(paths.base + " is tiered"));
  volume->info = *info;
  auto dat = Open(paths.dat());
  if (!dat) return unexpected(dat.error());
  volume->files =
      std::make_shared<const VolumeFiles>(VolumeFiles{std::move(*idx), std::move(*dat)});
  const auto idx_id = IdOf(volume->files->idx.get());
  if (!idx_id) return unexpected(idx_id.error());
  const auto dat_id = IdOf(volume->files->dat.get());
  if (!dat_id) return unexpected(dat_id.error());
  volume->idx_id = *idx_id;
  volume->dat_id = *dat_id;
  if (Step done = RequireSettled(*volume); !done) return unexpected(done.error());
  if (Step done = LoadSuperblock(*volume); !done) return unexpected(done.error());
  if (Step done = Replay(*volume); !done) return unexpected(done.error());
  volume->epoch = DrawEpoch();
  return volume;
}

uint64_t DrawEpoch() {
  uint64_t epoch = 0;
  while (epoch == 0) CHECK(getrandom(&epoch, sizeof epoch, 0) == sizeof epoch);
  return epoch;
}

}  // namespace storage
