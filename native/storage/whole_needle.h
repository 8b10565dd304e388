#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "storage/needle_map.h"
#include "storage/needle_record.h"

// One needle read and checked whole, for the tools: vacuum and verify. Reads for clients are
// reader.h's.
namespace storage {

struct WholeNeedle {
  NeedleHeader header{};
  std::span<const std::byte> data;
  std::span<const std::byte> rest;  // from the end of the data; the tail's pieces lie in it
  NeedleTail tail;
  uint32_t computed_checksum = 0;

  [[nodiscard]] std::span<const std::byte> Of(const Piece& piece) const {
    return rest.subspan(piece.offset, piece.bytes);
  }
};

enum class NeedleFault {
  kNone,
  kBeyondEnd,  // the .dat ends before the record does
  kReadFailed,
  kSizeDiffers,  // record and index
  kBadFields,
  kBadChecksum,
};

struct NeedleRead {
  NeedleFault fault = NeedleFault::kNone;
  WholeNeedle needle;  // valid as long as the buffer is; with kBadChecksum too
};

struct DatFile {
  int fd;
  uint64_t bytes;  // bounds what a broken row can make a read allocate
  uint8_t version;
  uint32_t offset_bytes;  // 4: offsets wrap at kOffsetWrapBytes
};

/// `place` is live.
[[nodiscard]] NeedleRead ReadWholeNeedle(const DatFile& dat, const NeedlePlace& place,
                                         std::vector<std::byte>& buffer);

/// In words; empty for kNone.
[[nodiscard]] std::string FaultText(NeedleFault fault);

}  // namespace storage
