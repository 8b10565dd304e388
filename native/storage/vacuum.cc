#include "storage/vacuum.h"

#include <unistd.h>

#include <array>
#include <ctime>
#include <filesystem>
#include <map>
#include <utility>

#include "storage/file_read.h"
#include "storage/whole_needle.h"

namespace storage {
namespace {

using std::unexpected;

constexpr uint32_t kCaughtUpDeleteCookie = 0x12345678;

uint64_t NowNs() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

/// The needle as the volume server writes it again: what it parsed, with the checksum that it
/// computed.
NeedleFields FieldsOf(const WholeNeedle& needle) {
  const NeedleTail& tail = needle.tail;
  return {.needle_id = needle.header.needle_id,
          .cookie = needle.header.cookie,
          .flags = tail.flags,
          .ttl_count = tail.ttl_count,
          .ttl_unit = tail.ttl_unit,
          .checksum = needle.data.empty() ? tail.checksum : needle.computed_checksum,
          .last_modified_s = tail.last_modified_s,
          .append_at_ns = tail.append_at_ns,
          .data = needle.data,
          .name = needle.Of(tail.name),
          .mime = needle.Of(tail.mime),
          .pairs = needle.Of(tail.pairs)};
}

}  // namespace

Vacuum::Vacuum(VolumeWriter& writer)
    : writer_(&writer),
      dat_path_(writer.volume().paths.base + ".cpd"),
      idx_path_(writer.volume().paths.idx_base + ".cpx"),
      copied_to_(writer.volume().applied) {}

FileResult<Vacuum> Vacuum::Compact(VolumeWriter& writer) {
  Vacuum vacuum(writer);
  if (auto done = vacuum.CopyLive(); !done) {
    vacuum.Abandon();
    return unexpected(done.error());
  }
  return vacuum;
}

FileResult<void> Vacuum::CopyLive() {
  auto dat = CreateOrEmpty(dat_path_);
  if (!dat) return unexpected(dat.error());
  auto idx = CreateOrEmpty(idx_path_);
  if (!idx) return unexpected(idx.error());
  dat_ = std::move(*dat);
  idx_ = std::move(*idx);
  Superblock superblock = writer_->volume().superblock;
  superblock.compaction_revision++;
  std::array<std::byte, kSuperblockBytes> bytes;
  EncodeSuperblock(superblock, bytes);
  if (auto done = WriteAt(dat_.get(), bytes, 0, dat_path_); !done) return done;
  dat_bytes_ = kSuperblockBytes;
  const uint64_t now_s = NowNs() / 1'000'000'000;
  for (const NeedleMap::Item& item : writer_->volume().map.Items()) {
    if (item.place.size < 0) continue;
    if (auto done = CopyNeedle(item, now_s); !done) return done;
  }
  if (auto done = Sync(dat_.get(), dat_path_); !done) return done;
  return Sync(idx_.get(), idx_path_);
}

FileResult<void> Vacuum::CopyNeedle(const NeedleMap::Item& item, uint64_t now_s) {
  const Superblock& superblock = writer_->volume().superblock;
  const DatFile dat{writer_->dat_.get(), writer_->dat_bytes(), superblock.version,
                    writer_->volume().info.offset_bytes};
  const NeedleRead read = ReadWholeNeedle(dat, item.place, read_buffer_);
  if (read.fault == NeedleFault::kReadFailed) {
    return unexpected(writer_->volume().paths.dat() + ": " + FaultText(read.fault));
  }
  if (read.fault != NeedleFault::kNone) {
    report_.needles_unreadable++;
    return {};
  }
  const NeedleTail& tail = read.needle.tail;
  const uint64_t volume_ttl_s = TtlMinutes(superblock.ttl_count, superblock.ttl_unit) * 60;
  // In a volume without ttl this drops every needle that has one, as the volume server does.
  if ((tail.flags & kHasTtlField) != 0 && now_s >= tail.last_modified_s + volume_ttl_s) {
    report_.needles_expired++;
    return {};
  }
  const NeedleFields fields = FieldsOf(read.needle);
  // Flags without their fields make a record longer when it is written again.
  if (!IsEncodable(superblock.version, fields)) {
    report_.needles_unreadable++;
    return {};
  }
  record_.clear();
  EncodeNeedle(superblock.version, fields, record_);
  report_.needles_kept++;
  // The record's id, where it differs from the row's: so does the volume server.
  const auto size = static_cast<int32_t>(BodyBytes(superblock.version, fields));
  return Add({fields.needle_id, 0, size}, record_);
}

FileResult<VacuumReport> Vacuum::Commit() {
  if (auto done = CatchUp(); !done) {
    Abandon();
    return unexpected(done.error());
  }
  report_.bytes_before = writer_->dat_bytes();
  writer_->Detach();
  if (auto done = Swap(); !done) return unexpected(done.error());
  auto volume = Volume::Load(writer_->volume().paths);
  if (!volume) return unexpected(volume.error().detail);
  writer_->volume_ = std::move(*volume);
  if (auto done = writer_->Attach(); !done) return unexpected(done.error());
  report_.bytes_after = writer_->dat_bytes();
  return report_;
}

FileResult<void> Vacuum::CatchUp() {
  const Volume& volume = writer_->volume();
  std::vector<std::byte> rows(volume.applied - copied_to_);
  if (ReadAt(writer_->idx_.get(), rows, copied_to_, Blocking::kYes) != ReadOutcome::kDone) {
    return unexpected(volume.paths.idx() + ": its new rows cannot be read");
  }
  std::map<uint64_t, IdxRow> newest;
  for (uint64_t at = 0; at < rows.size(); at += volume.row_bytes()) {
    const IdxRow row = ParseIdxRow(&rows[at], volume.info.offset_bytes);
    newest[row.needle_id] = row;
  }
  for (const auto& [needle_id, row] : newest) {
    if (auto done = CatchUpRow(row); !done) return done;
    report_.rows_caught_up++;
  }
  if (auto done = Sync(dat_.get(), dat_path_); !done) return done;
  return Sync(idx_.get(), idx_path_);
}

FileResult<void> Vacuum::CatchUpRow(const IdxRow& row) {
  const uint8_t version = writer_->volume().superblock.version;
  // The volume server takes an empty needle for a deleted one here; the row's size keeps it alive.
  if (!row.is_put() || row.size == 0) {
    NeedleFields fields;
    fields.needle_id = row.needle_id;
    fields.cookie = kCaughtUpDeleteCookie;
    fields.append_at_ns = NowNs();
    record_.clear();
    EncodeNeedle(version, fields, record_);
    return Add(row, record_);
  }
  read_buffer_.resize(RecordBytes(version, static_cast<uint64_t>(row.size)));
  const uint64_t at = row.offset_units * kOffsetUnitBytes;
  if (ReadAt(writer_->dat_.get(), read_buffer_, at, Blocking::kYes) != ReadOutcome::kDone) {
    return unexpected(writer_->volume().paths.dat() + ": a new record cannot be read");
  }
  return Add(row, read_buffer_);
}

FileResult<void> Vacuum::Add(IdxRow row, std::span<const std::byte> record) {
  const Volume& volume = writer_->volume();
  row.offset_units = dat_bytes_ / kOffsetUnitBytes;
  std::array<std::byte, IdxRowBytes(5)> bytes;
  EncodeIdxRow(row, volume.info.offset_bytes, bytes.data());
  if (auto done = WriteAt(dat_.get(), record, dat_bytes_, dat_path_); !done) return done;
  const auto row_bytes = std::span(bytes).first(volume.row_bytes());
  if (auto done = WriteAt(idx_.get(), row_bytes, idx_bytes_, idx_path_); !done) return done;
  dat_bytes_ += record.size();
  idx_bytes_ += row_bytes.size();
  return {};
}

// From the marker .cpc on a volume server that starts would finish this; without it, it takes it
// back.
FileResult<void> Vacuum::Swap() {
  const VolumePaths& paths = writer_->volume().paths;
  const std::string marker = paths.base + ".cpc";
  {
    const auto fd = CreateOrEmpty(marker);
    if (!fd) return unexpected(fd.error());
    if (auto done = Sync(fd->get(), marker); !done) return done;
  }
  if (auto done = SyncDirectoryOf(marker); !done) return done;
  if (auto done = Rename(dat_path_, paths.dat()); !done) return done;
  if (auto done = Rename(idx_path_, paths.idx()); !done) return done;
  if (auto done = SyncDirectoryOf(paths.dat()); !done) return done;
  if (auto done = SyncDirectoryOf(paths.idx()); !done) return done;
  // Mirrors of the old .idx; a volume server would read them instead of the new one.
  std::error_code ignored;
  std::filesystem::remove_all(paths.idx_base + ".ldb", ignored);
  std::filesystem::remove(paths.idx_base + ".rdb", ignored);
  if (unlink(marker.c_str()) != 0) return unexpected(ErrnoText(marker));
  return SyncDirectoryOf(marker);
}

void Vacuum::Abandon() const {
  unlink(dat_path_.c_str());
  unlink(idx_path_.c_str());
}

}  // namespace storage
