#include "storage/writer.h"

#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

#include "storage/crc32c.h"
#include "storage/file_read.h"

namespace storage {
namespace {

using std::unexpected;

constexpr uint64_t kNsPerSecond = 1'000'000'000;

uint64_t RealtimeNs() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * kNsPerSecond + static_cast<uint64_t>(now.tv_nsec);
}

FileResult<void> CreateFile(const std::string& path, std::span<const std::byte> bytes,
                            std::vector<std::string>& created) {
  const auto fd = CreateNew(path);
  if (!fd) return unexpected(fd.error());
  created.push_back(path);
  return WriteAt(fd->get(), bytes, 0, path);
}

/// The .idx comes last: with it the volume exists for a process that scans the directory.
FileResult<void> CreateFiles(const VolumePaths& paths, const NewVolume& options,
                             std::vector<std::string>& created) {
  std::array<std::byte, kSuperblockBytes> superblock;
  EncodeSuperblock({.version = options.version,
                    .replica_placement = options.replica_placement,
                    .ttl_count = options.ttl_count,
                    .ttl_unit = options.ttl_unit,
                    .compaction_revision = 0,
                    .extra_bytes = 0},
                   superblock);
  if (auto done = CreateFile(paths.dat(), superblock, created); !done) return done;
  const uint64_t ttl_s = TtlMinutes(options.ttl_count, options.ttl_unit) * 60;
  const uint64_t expire_at_s = ttl_s == 0 ? 0 : RealtimeNs() / kNsPerSecond + ttl_s;
  // The volume server leaves the replication to the superblock.
  const std::string info = EncodeVolumeInfo(options.version, "", options.offset_bytes, expire_at_s);
  if (auto done = CreateFile(paths.base + ".vif", std::as_bytes(std::span(info)), created); !done) {
    return done;
  }
  return CreateFile(paths.idx(), {}, created);
}

uint8_t FlagsOf(const NeedleToWrite& needle, bool has_ttl) {
  unsigned flags = needle.flags;
  if (!needle.name.empty()) flags |= kHasName;
  if (!needle.mime.empty()) flags |= kHasMime;
  if (!needle.pairs.empty()) flags |= kHasPairs;
  if (needle.last_modified_s != 0) flags |= kHasLastModified;
  if (has_ttl) flags |= kHasTtlField;
  return static_cast<uint8_t>(flags);
}

}  // namespace

FileResult<std::unique_ptr<VolumeWriter>> VolumeWriter::Create(const NewVolume& options) {
  const VolumePaths paths =
      PathsOf(options.dir, options.idx_dir, options.collection, options.volume_id);
  std::vector<std::string> created;
  if (auto done = CreateFiles(paths, options, created); !done) {
    for (const std::string& path : created) unlink(path.c_str());
    return unexpected(done.error());
  }
  return Open(paths);
}

FileResult<std::unique_ptr<VolumeWriter>> VolumeWriter::Open(const VolumePaths& paths) {
  auto volume = Volume::Load(paths);
  if (!volume) return unexpected(volume.error().detail);
  if ((*volume)->info.is_read_only) return unexpected(paths.base + ".vif: the volume is read-only");
  std::unique_ptr<VolumeWriter> writer(new VolumeWriter(std::move(*volume)));
  if (auto done = writer->Attach(); !done) return unexpected(done.error());
  return writer;
}

FileResult<void> VolumeWriter::Attach() {
  const VolumePaths& paths = volume_->paths;
  auto dat = OpenToWrite(paths.dat());
  if (!dat) return unexpected(dat.error());
  if (flock(dat->get(), LOCK_EX | LOCK_NB) != 0) {
    return unexpected(paths.dat() + ": another writer has this volume");
  }
  auto idx = OpenToWrite(paths.idx());
  if (!idx) return unexpected(idx.error());
  struct stat dat_file{};
  struct stat idx_file{};
  if (fstat(dat->get(), &dat_file) != 0 || fstat(idx->get(), &idx_file) != 0) {
    return unexpected(ErrnoText(paths.base));
  }
  const bool is_loaded = FileIdOf(dat_file) == volume_->dat_id &&
                         FileIdOf(idx_file) == volume_->idx_id &&
                         static_cast<uint64_t>(idx_file.st_size) == volume_->applied;
  if (!is_loaded) return unexpected(paths.base + ": the files changed while being opened");
  dat_bytes_ = static_cast<uint64_t>(dat_file.st_size);
  if (dat_bytes_ % kNeedleAlignment != 0) {
    return unexpected(paths.dat() + ": its length is not a multiple of 8: a record was cut off");
  }
  dat_ = std::move(*dat);
  idx_ = std::move(*idx);
  return {};
}

void VolumeWriter::Detach() {
  dat_ = UniqueFd();
  idx_ = UniqueFd();
}

FileResult<WrittenNeedle> VolumeWriter::Append(const NeedleToWrite& needle) {
  const bool has_own_ttl = needle.ttl_count != 0;
  const Superblock& superblock = volume_->superblock;
  const bool has_ttl = has_own_ttl || TtlMinutes(superblock.ttl_count, superblock.ttl_unit) != 0;
  const uint32_t checksum = Crc32c(0, needle.data);
  return Write({.needle_id = needle.needle_id,
                .cookie = needle.cookie,
                .flags = FlagsOf(needle, has_ttl),
                .ttl_count = has_own_ttl ? needle.ttl_count : superblock.ttl_count,
                .ttl_unit = has_own_ttl ? needle.ttl_unit : superblock.ttl_unit,
                .checksum = needle.legacy_checksum ? LegacyChecksum(checksum) : checksum,
                .last_modified_s = needle.last_modified_s,
                .append_at_ns = needle.append_at_ns != 0 ? needle.append_at_ns : NextAppendNs(),
                .data = needle.data,
                .name = needle.name,
                .mime = needle.mime,
                .pairs = needle.pairs},
               /*is_delete=*/false);
}

FileResult<bool> VolumeWriter::Delete(uint64_t needle_id) {
  const auto place = volume_->map.Find(needle_id);
  if (!place || place->size < 0) return false;
  std::array<std::byte, kNeedleHeaderBytes> header;
  const uint64_t at = place->offset_units * kOffsetUnitBytes;
  if (ReadAt(dat_.get(), header, at, Blocking::kYes) != ReadOutcome::kDone) {
    return unexpected(volume_->paths.dat() + ": the needle's record cannot be read");
  }
  NeedleFields fields;
  fields.needle_id = needle_id;
  fields.cookie = ParseNeedleHeader(header).cookie;
  fields.append_at_ns = NextAppendNs();
  if (const auto written = Write(fields, /*is_delete=*/true); !written) {
    return unexpected(written.error());
  }
  return true;
}

FileResult<WrittenNeedle> VolumeWriter::Write(const NeedleFields& fields, bool is_delete) {
  if (!dat_) return unexpected(volume_->paths.base + ": the volume was closed by a failed vacuum");
  const uint8_t version = volume_->superblock.version;
  if (!IsEncodable(version, fields)) {
    return unexpected(
        "the needle does not fit a record: name and mime have at most 255 bytes, pairs "
        "65535, the time 40 bits, all together 2 GiB");
  }
  const uint32_t offset_bytes = volume_->info.offset_bytes;
  const uint64_t offset_units = dat_bytes_ / kOffsetUnitBytes;
  if (offset_units >> (8 * offset_bytes) != 0) {
    return unexpected(volume_->paths.dat() + ": the volume is full");
  }
  record_.clear();
  EncodeNeedle(version, fields, record_);
  const auto size = static_cast<int32_t>(BodyBytes(version, fields));
  const IdxRow row{fields.needle_id, offset_units, is_delete ? -1 : size};
  std::array<std::byte, IdxRowBytes(5)> row_bytes;
  EncodeIdxRow(row, offset_bytes, row_bytes.data());

  auto done = WriteAt(dat_.get(), record_, dat_bytes_, volume_->paths.dat());
  if (done) {
    done = WriteAt(idx_.get(), std::span(row_bytes).first(volume_->row_bytes()), volume_->applied,
                   volume_->paths.idx());
  }
  if (!done) {
    // Neither file may keep half of an operation that was not acknowledged.
    if (ftruncate(idx_.get(), static_cast<off_t>(volume_->applied)) != 0 ||
        ftruncate(dat_.get(), static_cast<off_t>(dat_bytes_)) != 0) {
      return unexpected(done.error() + "; and what was written could not be taken back");
    }
    return unexpected(done.error());
  }
  const WrittenNeedle written{dat_bytes_, size};
  dat_bytes_ += record_.size();
  volume_->applied += volume_->row_bytes();
  volume_->map.Apply(row);
  return written;
}

uint64_t VolumeWriter::NextAppendNs() {
  last_append_ns_ = std::max(RealtimeNs(), last_append_ns_ + 1);
  return last_append_ns_;
}

}  // namespace storage
