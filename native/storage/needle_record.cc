#include "storage/needle_record.h"

#include "storage/big_endian.h"

namespace storage {
namespace {

// The fields behind the flags, each only if its flag is set and bytes remain: a flag without a
// single byte left is ignored, one with too few is corrupt.
class FieldReader {
 public:
  explicit FieldReader(std::span<const std::byte> body) : body_(body) {}

  [[nodiscard]] bool is_at_end() const { return at_ == body_.size(); }
  [[nodiscard]] bool is_broken() const { return is_broken_; }

  [[nodiscard]] uint64_t Integer(uint64_t bytes) {
    const Piece piece = Take(bytes);
    uint64_t value = 0;
    for (uint64_t i = 0; i < piece.bytes; i++) {
      value = value << 8 | std::to_integer<uint64_t>(body_[piece.offset + i]);
    }
    return value;
  }

  [[nodiscard]] Piece Counted(uint64_t count_bytes) { return Take(Integer(count_bytes)); }

 private:
  Piece Take(uint64_t bytes) {
    if (is_broken_ || bytes > body_.size() - at_) {
      is_broken_ = true;
      return {};
    }
    const Piece piece{at_, bytes};
    at_ += bytes;
    return piece;
  }

  std::span<const std::byte> body_;
  uint64_t at_ = 0;
  bool is_broken_ = false;
};

[[nodiscard]] bool ParseFields(std::span<const std::byte> body, NeedleTail& tail) {
  FieldReader reader(body);
  if (!reader.is_at_end()) tail.flags = static_cast<uint8_t>(reader.Integer(1));
  const auto has = [&](NeedleFlag flag) { return (tail.flags & flag) != 0 && !reader.is_at_end(); };
  if (has(kHasName)) tail.name = reader.Counted(1);
  if (has(kHasMime)) tail.mime = reader.Counted(1);
  if (has(kHasLastModified)) tail.last_modified_s = reader.Integer(5);
  const bool has_ttl = has(kHasTtlField);
  if (has_ttl) {
    tail.ttl_count = static_cast<uint8_t>(reader.Integer(1));
    tail.ttl_unit = static_cast<uint8_t>(reader.Integer(1));
  }
  if (has(kHasPairs)) tail.pairs = reader.Counted(2);
  // The volume server crashes its handler on a ttl flag without the ttl: nothing to imitate.
  if ((tail.flags & kHasTtlField) != 0 && !has_ttl) return false;
  return !reader.is_broken();
}

}  // namespace

NeedleHeader ParseNeedleHeader(std::span<const std::byte, kNeedleHeaderBytes> bytes) {
  return {LoadBig<uint32_t>(&bytes[0]), LoadBig<uint64_t>(&bytes[4]), LoadBig<int32_t>(&bytes[12])};
}

uint64_t FooterBytes(uint8_t version, uint64_t size) {
  const uint64_t fixed = version == 3 ? 12 : 4;
  return fixed + kNeedleAlignment - (kNeedleHeaderBytes + size + fixed) % kNeedleAlignment;
}

uint64_t RecordBytes(uint8_t version, uint64_t size) {
  return kNeedleHeaderBytes + size + FooterBytes(version, size);
}

std::optional<Piece> DataPiece(uint8_t version, uint64_t size, std::span<const std::byte> head) {
  if (version == 1) return Piece{kNeedleHeaderBytes, size};
  if (size == 0) return Piece{kNeedleHeaderBytes, 0};
  const uint64_t begin = kNeedleHeaderBytes + kDataSizeBytes;
  if (size < kDataSizeBytes || head.size() < begin) return std::nullopt;
  const uint64_t data_bytes = LoadBig<uint32_t>(&head[kNeedleHeaderBytes]);
  if (data_bytes > size - kDataSizeBytes) return std::nullopt;
  return Piece{begin, data_bytes};
}

std::optional<NeedleTail> ParseTail(uint8_t version, uint64_t size,
                                    std::span<const std::byte> tail) {
  const uint64_t footer_bytes = FooterBytes(version, size);
  if (tail.size() < footer_bytes) return std::nullopt;
  const auto fields = tail.first(tail.size() - footer_bytes);
  const auto footer = tail.subspan(fields.size());
  NeedleTail parsed;
  if (version != 1 && !ParseFields(fields, parsed)) return std::nullopt;
  parsed.checksum = LoadBig<uint32_t>(&footer[0]);
  if (version == 3) parsed.append_at_ns = LoadBig<uint64_t>(&footer[4]);
  return parsed;
}

}  // namespace storage
