#pragma once

#include <cstddef>
#include <cstring>
#include <expected>
#include <span>
#include <string_view>
#include <vector>

#include "protocol/status.h"
#include "protocol/wire.h"

// Bytes to wire structs and back. The door at which the wire is checked for form: exact size,
// reserved fields zero, lists as long as they say. What a number means is judged by the rooms that
// use it.
namespace protocol {

constexpr bool IsWellFormed(const Hello& m) {
  return m.magic == kMagic && m.version_min <= m.version_max;
}
constexpr bool IsWellFormed(const Challenge& m) { return m.magic == kMagic && m.reserved == 0; }
constexpr bool IsWellFormed(const Proof&) { return true; }
constexpr bool IsWellFormed(const Welcome& m) { return m.requests_max > 0; }
constexpr bool IsWellFormed(const Refuse& m) { return m.reserved == 0; }
constexpr bool IsWellFormed(const Volumes& m) {
  return m.reserved == 0 && m.page < m.pages && m.row_count <= kVolumesPerPageMax;
}
constexpr bool IsWellFormed(const VolumeRow& m) { return m.version <= 3 && m.flags <= 1; }
constexpr bool IsWellFormed(const Read& m) {
  return m.request_id != 0 && m.timeout_ns != 0 && (m.flags & ~kMetadataOnly) == 0 &&
         m.reserved16 == 0 && m.reserved32 == 0;
}
constexpr bool IsWellFormed(const ReadReply& m) {
  return (m.reply_flags & ~(kWhole | kStream | kHasTtl)) == 0;
}
constexpr bool IsWellFormed(const Validate& m) {
  return m.request_id != 0 && m.timeout_ns != 0 && m.item_count <= kValidateItemsMax &&
         m.lease_ms <= kLeaseMsMax;
}
constexpr bool IsWellFormed(const ValidateItem& m) { return m.reserved == 0; }
constexpr bool IsWellFormed(const ValidateReply& m) {
  return m.row_count <= kValidateItemsMax && m.reserved == 0;
}
constexpr bool IsWellFormed(const ValidateRow& m) {
  const bool is_changed = m.verdict == static_cast<uint16_t>(Verdict::changed);
  const bool is_leasable = m.verdict <= static_cast<uint16_t>(Verdict::flush);
  return m.verdict <= static_cast<uint16_t>(Verdict::unconfirmed) && m.id_count <= kChangedIdsMax &&
         (is_changed || m.id_count == 0) && (m.flags & ~kLeased) == 0 &&
         (is_leasable || m.flags == 0) && m.reserved32 == 0;
}
constexpr bool IsWellFormed(const Changed& m) {
  const bool is_changed = m.verdict == static_cast<uint16_t>(Verdict::changed);
  return m.verdict <= static_cast<uint16_t>(Verdict::unconfirmed) && m.id_count <= kChangedIdsMax &&
         (is_changed ? m.from < m.to : m.id_count == 0) && m.reserved16 == 0 && m.reserved32 == 0;
}
constexpr bool IsWellFormed(const Ping& m) { return m.request_id != 0; }
constexpr bool IsWellFormed(const Pong&) { return true; }
constexpr bool IsWellFormed(const Goodbye& m) { return m.reserved16 == 0 && m.reserved32 == 0; }

/// `bytes` may be unaligned; they are copied out, never cast.
template <typename T>
[[nodiscard]] std::expected<T, Status> Decode(std::span<const std::byte> bytes) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (bytes.size() != sizeof(T)) return std::unexpected(Status::bad_request);
  T message;
  std::memcpy(&message, bytes.data(), sizeof(T));
  if (!IsWellFormed(message)) return std::unexpected(Status::bad_request);
  return message;
}

/// Takes the rows of a list in order. A list is well-formed when each row decodes and nothing is
/// left over.
class ListReader {
 public:
  explicit ListReader(std::span<const std::byte> bytes) : rest_(bytes) {}

  template <typename T>
  [[nodiscard]] std::expected<T, Status> Take() {
    if (rest_.size() < sizeof(T)) return std::unexpected(Status::bad_request);
    auto row = Decode<T>(rest_.first(sizeof(T)));
    rest_ = rest_.subspan(sizeof(T));
    return row;
  }

  /// Borrowed from the list.
  [[nodiscard]] std::expected<std::string_view, Status> TakeText(size_t bytes) {
    if (rest_.size() < bytes) return std::unexpected(Status::bad_request);
    const std::string_view text(reinterpret_cast<const char*>(rest_.data()), bytes);
    rest_ = rest_.subspan(bytes);
    return text;
  }

  [[nodiscard]] std::expected<std::vector<uint64_t>, Status> TakeIds(size_t count) {
    if (count > kChangedIdsMax || rest_.size() < count * sizeof(uint64_t))
      return std::unexpected(Status::bad_request);
    std::vector<uint64_t> ids(count);
    if (count > 0) std::memcpy(ids.data(), rest_.data(), count * sizeof(uint64_t));
    rest_ = rest_.subspan(count * sizeof(uint64_t));
    return ids;
  }

  [[nodiscard]] bool empty() const { return rest_.empty(); }

 private:
  std::span<const std::byte> rest_;
};

inline void Append(std::vector<std::byte>& list, std::span<const std::byte> bytes) {
  list.insert(list.end(), bytes.begin(), bytes.end());
}

template <typename T>
  requires std::is_trivially_copyable_v<T>
void AppendRow(std::vector<std::byte>& list, const T& row) {
  Append(list, std::as_bytes(std::span(&row, 1)));
}

}  // namespace protocol
