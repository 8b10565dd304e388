#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

// The needle record of a .dat file, versions 1 to 3 (specification, section 1.2). Pure: bytes in,
// fields out.
namespace storage {

inline constexpr uint64_t kNeedleHeaderBytes = 16;
inline constexpr uint64_t kDataSizeBytes = 4;  // in front of the data, versions 2 and 3
inline constexpr uint64_t kNeedleAlignment = 8;
inline constexpr uint64_t kStreamSizeMin =
    (1 << 20) + 1;  // from this index size on: read metadata-only
inline constexpr uint64_t kStreamTailBytesMax = 128 << 10;

enum NeedleFlag : uint8_t {
  kCompressed = 0x01,
  kHasName = 0x02,
  kHasMime = 0x04,
  kHasLastModified = 0x08,
  kHasTtlField = 0x10,
  kHasPairs = 0x20,
  kManifest = 0x80,
};

struct NeedleHeader {
  uint32_t cookie;
  uint64_t needle_id;  // never compared with the id asked for: the index decides
  int32_t size;
};

[[nodiscard]] NeedleHeader ParseNeedleHeader(std::span<const std::byte, kNeedleHeaderBytes> bytes);

/// A range of the record; the bytes are not copied.
struct Piece {
  uint64_t offset;
  uint64_t bytes;
};

/// The part of a record behind the data: flags, names, times, checksum.
struct NeedleTail {
  uint8_t flags = 0;
  Piece name{};
  Piece mime{};
  Piece pairs{};
  uint64_t last_modified_s = 0;
  uint8_t ttl_count = 0;
  uint8_t ttl_unit = 0;
  uint32_t checksum = 0;  // as stored
  uint64_t append_at_ns = 0;
};

/// Bytes of the record behind the body: checksum, time (version 3) and 1 to 8 bytes of padding.
[[nodiscard]] uint64_t FooterBytes(uint8_t version, uint64_t size);
/// Bytes of the whole record, padding included.
[[nodiscard]] uint64_t RecordBytes(uint8_t version, uint64_t size);

/// Where the data lies in a record whose first 20 bytes are `head`; nothing when they contradict
/// `size`.
[[nodiscard]] std::optional<Piece> DataPiece(uint8_t version, uint64_t size,
                                             std::span<const std::byte> head);

/// Parses the record's bytes from the end of the data to the end of the record; pieces count from
/// the beginning of `tail`. Nothing when a field does not fit: the volume server answers 500 then.
[[nodiscard]] std::optional<NeedleTail> ParseTail(uint8_t version, uint64_t size,
                                                  std::span<const std::byte> tail);

}  // namespace storage
