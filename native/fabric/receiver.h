#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "protocol/wire.h"

namespace fabric {

/// Memory for the data of one message; `context` comes back in Receiver::OnLanded().
struct Landing {
  std::span<std::byte> bytes;
  void* context = nullptr;
};

/// Hears what comes on the links of a carrier; `peer` is what the link was made with. All calls
/// come from within progress. No link is to be closed in them.
class Receiver {
 public:
  virtual ~Receiver() = default;
  /// A message with all its data; valid only in the call.
  virtual void OnMessage(void* peer, protocol::MessageId id, std::span<const std::byte> header,
                         std::span<const std::byte> data) = 0;
  /// The header of READ_REPLY, whose data follows: where that is to be written. Nothing: nowhere.
  virtual std::optional<Landing> OnReply(void* peer, std::span<const std::byte> header,
                                         uint64_t data_bytes) = 0;
  /// Once for each Landing; false: the data did not come whole. No byte is written any more.
  virtual void OnLanded(void* context, bool is_whole) = 0;
  /// The link is lost: nothing comes any more. At most once.
  virtual void OnLost(void* peer, std::string_view why) = 0;
};

}  // namespace fabric
