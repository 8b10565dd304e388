#include "storage/whole_needle.h"

#include "storage/crc32c.h"
#include "storage/file_read.h"

namespace storage {

NeedleRead ReadWholeNeedle(int dat_fd, uint64_t dat_bytes, uint8_t version, const NeedlePlace& place,
                           std::vector<std::byte>& buffer) {
  const auto size = static_cast<uint64_t>(place.size);
  const uint64_t at = place.offset_units * kOffsetUnitBytes;
  const uint64_t record_bytes = RecordBytes(version, size);
  if (at > dat_bytes || record_bytes > dat_bytes - at) return {NeedleFault::kBeyondEnd, {}};
  buffer.resize(record_bytes);
  const ReadOutcome outcome = ReadAt(dat_fd, buffer, at, Blocking::kYes);
  if (outcome == ReadOutcome::kEnd) return {NeedleFault::kBeyondEnd, {}};
  if (outcome != ReadOutcome::kDone) return {NeedleFault::kReadFailed, {}};
  const std::span<const std::byte> record(buffer);
  NeedleRead read;
  WholeNeedle& needle = read.needle;
  needle.header = ParseNeedleHeader(record.first<kNeedleHeaderBytes>());
  if (needle.header.size != place.size) return {NeedleFault::kSizeDiffers, needle};
  const auto data = DataPiece(version, size, record);
  if (!data) return {NeedleFault::kBadFields, needle};
  needle.data = record.subspan(data->offset, data->bytes);
  needle.rest = record.subspan(data->offset + data->bytes);
  const auto tail = ParseTail(version, size, needle.rest);
  if (!tail) return {NeedleFault::kBadFields, needle};
  needle.tail = *tail;
  needle.computed_checksum = Crc32c(0, needle.data);
  // Of an empty needle the volume server checks nothing.
  if (!needle.data.empty() && !ChecksumMatches(tail->checksum, needle.computed_checksum)) {
    read.fault = NeedleFault::kBadChecksum;
  }
  return read;
}

std::string FaultText(NeedleFault fault) {
  switch (fault) {
    case NeedleFault::kNone: return "";
    case NeedleFault::kBeyondEnd: return "the .dat ends before the record does";
    case NeedleFault::kReadFailed: return "the .dat cannot be read here";
    case NeedleFault::kSizeDiffers: return "the record has another size than the index says";
    case NeedleFault::kBadFields: return "a field of the record does not fit into it";
    case NeedleFault::kBadChecksum: return "the data's checksum is not the stored one";
  }
  return "";
}

}  // namespace storage
