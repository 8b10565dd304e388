#pragma once

#include <cstddef>
#include <cstdint>

#include "protocol/wire.h"

// The memory shared with JavaScript on one thread. src/rdma/shared-layout.ts reads and writes the
// same positions. Quantities are doubles there, which hold every whole number below 2^53.
namespace addon {

/// Raised with every change of this file that moves or reuses a field, and with every export that
/// the program needs; src/rdma/shared-layout.ts has the same number.
inline constexpr uint32_t kLayoutVersion = 2;

enum class EntryKind : uint32_t { kRead = 1, kValidate = 2, kPong = 3 };

/// One completion. What does not belong to its kind is zero.
struct Entry {
  EntryKind kind;
  uint32_t ticket;
  uint32_t status;
  uint32_t checksum;
  uint32_t lease;  // handle; 0: none
  uint32_t index_bytes;
  uint32_t pairs_bytes;
  uint8_t name_bytes;
  uint8_t mime_bytes;
  uint8_t needle_flags;
  uint8_t volume_version;
  uint32_t reply_flags;
  uint32_t rows;      // kValidate: verdicts; kPong: the peer's requests in flight
  uint32_t sessions;  // kPong
  uint32_t reserved32;
  double payload_offset;    // in the arena; kPong: round trip in microseconds
  double data_bytes_total;  // kPong: the peer's arena bytes
  double data_offset;       // kPong: the peer's arena bytes used
  double data_bytes;
  double last_modified_s;
  double ttl_left_ms;
  uint64_t epoch;
  uint64_t position;
  uint64_t append_at_ns;
  uint64_t reserved64;
};
static_assert(sizeof(Entry) == 128);
static_assert(offsetof(Entry, reply_flags) == 32 && offsetof(Entry, payload_offset) == 48);
static_assert(offsetof(Entry, ttl_left_ms) == 88 && offsetof(Entry, append_at_ns) == 112);

inline constexpr size_t kRingEntries = 512;

/// The next command. JavaScript fills it and posts in the same turn.
struct Command {
  uint64_t needle_id;
  uint32_t volume_id;
  uint32_t cookie;
  double offset;
  double length;
  double whole_bytes_max;
  double budget_bytes;
  double timeout_ns;
  uint32_t metadata_only;
  uint32_t reserved32;
  protocol::ValidateItem items[protocol::kValidateItemsMax];
};
static_assert(offsetof(Command, metadata_only) == 56 && offsetof(Command, items) == 64);

}  // namespace addon
