#pragma once

#include <cstdint>
#include <type_traits>

#include "protocol/wire.h"

// How messages lie in a byte stream: each is cut into parts, so that a short one need not wait for
// the end of a long one. Little-endian, no implicit padding. See stream_link.h.
namespace stream {

struct PartHead {
  uint32_t
      message_number;     // of this link and sender; its parts come in order, others' between them
  uint16_t message_id;    // MessageId in a message's first part, 0 in the others
  uint16_t header_bytes;  // of the message's header, which follows; only in the first part
  uint32_t part_bytes;    // of the message's data, which follow the header
  uint32_t reserved;      // 0
  uint64_t data_bytes;    // of the whole message; only in the first part
};
static_assert(sizeof(PartHead) == 24 && std::has_unique_object_representations_v<PartHead>);

inline constexpr uint32_t kPartBytesMax = 256 << 10;
/// A sender's choice: messages with as much data are sent before parts of longer ones.
inline constexpr uint32_t kShortBytesMax = 64 << 10;
inline constexpr uint32_t kHeaderBytesMax = sizeof(protocol::ReadReply);

}  // namespace stream
