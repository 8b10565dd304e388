#include "storage/whole_needle.h"

#include "storage/crc32c.h"
#include "storage/file_read.h"

namespace storage {

namespace {

NeedleRead ReadRecordAt(const DatFile& dat, uint64_t at, int32_t index_size,
                        std::vector<std::byte>& buffer) {
  const auto size = static_cast<uint64_t>(index_size);
  const uint64_t record_bytes = RecordBytes(dat.version, size);
  if (at > dat.bytes || record_bytes > dat.bytes - at) return {NeedleFault::kBeyondEnd, {}};
  buffer.resize(record_bytes);
  const ReadOutcome outcome = ReadAt(dat.fd, buffer, at, Blocking::kYes);
  if (outcome == ReadOutcome::kEnd) return {NeedleFault::kBeyondEnd, {}};
  if (outcome != ReadOutcome::kDone) return {NeedleFault::kReadFailed, {}};
  const std::span<const std::byte> record(buffer);
  NeedleRead read;
  WholeNeedle& needle = read.needle;
  needle.header = ParseNeedleHeader(record.first<kNeedleHeaderBytes>());
  if (needle.header.size != index_size) return {NeedleFault::kSizeDiffers, needle};
  const auto data = DataPiece(dat.version, size, record);
  if (!data) return {NeedleFault::kBadFields, needle};
  needle.data = record.subspan(data->offset, data->bytes);
  needle.rest = record.subspan(data->offset + data->bytes);
  const auto tail = ParseTail(dat.version, size, needle.rest);
  if (!tail) return {NeedleFault::kBadFields, needle};
  needle.tail = *tail;
  needle.computed_checksum = Crc32c(0, needle.data);
  // The volume server checks nothing of an empty needle.
  if (!needle.data.empty() && !ChecksumMatches(tail->checksum, needle.computed_checksum)) {
    read.fault = NeedleFault::kBadChecksum;
  }
  return read;
}

}  // namespace

NeedleRead ReadWholeNeedle(const DatFile& dat, const NeedlePlace& place,
                           std::vector<std::byte>& buffer) {
  const uint64_t at = place.offset_units * kOffsetUnitBytes;
  const NeedleRead read = ReadRecordAt(dat, at, place.size, buffer);
  const auto second = SecondOffset(at, dat.offset_bytes);
  const bool may_wrap = second && dat.bytes > kOffsetWrapBytes;
  if (read.fault != NeedleFault::kSizeDiffers || !may_wrap) return read;
  return ReadRecordAt(dat, *second, place.size, buffer);
}

std::string FaultText(NeedleFault fault) {
  switch (fault) {
    case NeedleFault::kNone:
      return "";
    case NeedleFault::kBeyondEnd:
      return "the .dat ends before the record does";
    case NeedleFault::kReadFailed:
      return "the .dat cannot be read here";
    case NeedleFault::kSizeDiffers:
      return "the record has another size than the index says";
    case NeedleFault::kBadFields:
      return "a field of the record does not fit into it";
    case NeedleFault::kBadChecksum:
      return "the data's checksum is not the stored one";
  }
  return "";
}

}  // namespace storage
