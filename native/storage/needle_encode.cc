#include "storage/needle_encode.h"

#include "memory/check.h"

namespace storage {
namespace {

constexpr uint64_t kSizeMax = INT32_MAX;
constexpr uint64_t kLastModifiedBytes = 5;

// Appends big-endian integers and bytes.
class FieldWriter {
 public:
  explicit FieldWriter(std::vector<std::byte>& bytes) : bytes_(bytes) {}

  void Integer(uint64_t value, uint64_t width) {
    while (width-- > 0) bytes_.push_back(static_cast<std::byte>(value >> (8 * width)));
  }
  void Bytes(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void Counted(std::span<const std::byte> bytes, uint64_t count_width) {
    Integer(bytes.size(), count_width);
    Bytes(bytes);
  }

 private:
  std::vector<std::byte>& bytes_;
};

}  // namespace

bool IsEncodable(uint8_t version, const NeedleFields& fields) {
  return fields.name.size() <= UINT8_MAX && fields.mime.size() <= UINT8_MAX &&
         fields.pairs.size() <= UINT16_MAX &&
         fields.last_modified_s >> (8 * kLastModifiedBytes) == 0 &&
         fields.data.size() <= kSizeMax && BodyBytes(version, fields) <= kSizeMax;
}

uint64_t BodyBytes(uint8_t version, const NeedleFields& fields) {
  if (version == 1 || fields.data.empty()) return fields.data.size();
  uint64_t bytes = kDataSizeBytes + fields.data.size() + 1;
  if ((fields.flags & kHasName) != 0) bytes += 1 + fields.name.size();
  if ((fields.flags & kHasMime) != 0) bytes += 1 + fields.mime.size();
  if ((fields.flags & kHasLastModified) != 0) bytes += kLastModifiedBytes;
  if ((fields.flags & kHasTtlField) != 0) bytes += 2;
  if ((fields.flags & kHasPairs) != 0) bytes += 2 + fields.pairs.size();
  return bytes;
}

void EncodeNeedle(uint8_t version, const NeedleFields& fields, std::vector<std::byte>& bytes) {
  CHECK(IsEncodable(version, fields));
  const uint64_t size = BodyBytes(version, fields);
  const uint64_t end = bytes.size() + RecordBytes(version, size);
  bytes.reserve(end);
  FieldWriter writer(bytes);
  writer.Integer(fields.cookie, 4);
  writer.Integer(fields.needle_id, 8);
  writer.Integer(size, 4);
  if (version == 1) writer.Bytes(fields.data);
  if (version != 1 && size > 0) {
    writer.Counted(fields.data, kDataSizeBytes);
    writer.Integer(fields.flags, 1);
    if ((fields.flags & kHasName) != 0) writer.Counted(fields.name, 1);
    if ((fields.flags & kHasMime) != 0) writer.Counted(fields.mime, 1);
    if ((fields.flags & kHasLastModified) != 0)
      writer.Integer(fields.last_modified_s, kLastModifiedBytes);
    if ((fields.flags & kHasTtlField) != 0) {
      writer.Integer(fields.ttl_count, 1);
      writer.Integer(fields.ttl_unit, 1);
    }
    if ((fields.flags & kHasPairs) != 0) writer.Counted(fields.pairs, 2);
  }
  writer.Integer(fields.checksum, 4);
  if (version == 3) writer.Integer(fields.append_at_ns, 8);
  CHECK(bytes.size() < end && end - bytes.size() <= kNeedleAlignment);
  bytes.resize(end);
}

}  // namespace storage
