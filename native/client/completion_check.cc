#include "client/completion_check.h"

#include <algorithm>

#include "protocol/decode.h"
#include "storage/crc32c.h"

namespace client {
namespace {

using protocol::Status;

bool IsOfTarget(Status status) {
  return static_cast<uint16_t>(status) < static_cast<uint16_t>(Status::not_connected);
}

bool AreLengthsSound(const protocol::ReadReply& reply, uint64_t payload_bytes) {
  if (reply.data_bytes_total > protocol::kNeedleBytesMax ||
      reply.data_length > reply.data_bytes_total)
    return false;
  if (reply.data_length > 0 && reply.data_offset > reply.data_bytes_total - reply.data_length)
    return false;
  if (reply.pairs_bytes > UINT16_MAX) return false;
  return reply.data_length + reply.name_bytes + reply.mime_bytes + reply.pairs_bytes ==
         payload_bytes;
}

bool IsWhatWasAskedFor(const ReadCommand& command, const protocol::ReadReply& reply) {
  const bool is_whole = (reply.reply_flags & protocol::kWhole) != 0;
  if (command.metadata_only) return reply.data_length == 0;
  if (is_whole) return reply.data_offset == 0 && reply.data_length == reply.data_bytes_total;
  if (reply.data_bytes_total <= command.whole_bytes_max) return false;
  if (command.offset >= reply.data_bytes_total) return reply.data_length == 0;
  return reply.data_length == std::min(command.length, reply.data_bytes_total - command.offset) &&
         (reply.data_length == 0 || reply.data_offset == command.offset);
}

}  // namespace

std::expected<void, Status> CheckReadReply(const ReadCommand& command,
                                           const protocol::ReadReply& reply,
                                           uint64_t payload_bytes) {
  const auto status = protocol::StatusFromWire(reply.status);
  if (!status || !IsOfTarget(*status)) return std::unexpected(Status::protocol_error);
  if (*status != Status::ok)
    return std::unexpected(payload_bytes == 0 ? *status : Status::protocol_error);
  const bool is_version_known = reply.volume_version >= 1 && reply.volume_version <= 3;
  if (!protocol::IsWellFormed(reply) || !is_version_known ||
      !AreLengthsSound(reply, payload_bytes) || !IsWhatWasAskedFor(command, reply) ||
      reply.data_length > command.budget_bytes) {
    return std::unexpected(Status::protocol_error);
  }
  return {};
}

std::expected<uint32_t, Status> CheckReadBytes(const protocol::ReadReply& reply,
                                               std::span<const std::byte> payload) {
  if (reply.data_length == 0) return reply.checksum;
  const uint32_t computed = storage::Crc32c(0, payload.first(reply.data_length));
  if ((reply.reply_flags & protocol::kWhole) == 0) {
    if (computed != reply.data_crc32c) return std::unexpected(Status::corrupt);
    return reply.checksum;
  }
  if (!storage::ChecksumMatches(reply.checksum, computed)) return std::unexpected(Status::corrupt);
  return (reply.reply_flags & protocol::kStream) != 0 ? reply.checksum : computed;
}

}  // namespace client
