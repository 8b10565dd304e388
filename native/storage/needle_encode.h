#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "storage/needle_record.h"

// Encodes what needle_record.h parses, in the volume server's own form: for test volumes and their
// vacuum.
namespace storage {

struct NeedleFields {
  uint64_t needle_id = 0;
  uint32_t cookie = 0;
  uint8_t flags = 0;  // a field without its flag is left out, an empty one with its flag is written
  uint8_t ttl_count = 0;
  uint8_t ttl_unit = 0;
  uint32_t checksum = 0;  // as stored
  uint64_t last_modified_s = 0;
  uint64_t append_at_ns = 0;
  std::span<const std::byte> data{};
  std::span<const std::byte> name{};
  std::span<const std::byte> mime{};
  std::span<const std::byte> pairs{};
};

/// Each field fits the bytes that the format has for it, and the record fits its size field.
[[nodiscard]] bool IsEncodable(uint8_t version, const NeedleFields& fields);

/// The size in the record's header and in the index. 0 where there is no data, whatever else is
/// given.
[[nodiscard]] uint64_t BodyBytes(uint8_t version, const NeedleFields& fields);

/// Appends the whole record, zeros as padding, to `bytes`. The fields are encodable.
void EncodeNeedle(uint8_t version, const NeedleFields& fields, std::vector<std::byte>& bytes);

}  // namespace storage
