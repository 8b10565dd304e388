#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>

#include "client/client.h"
#include "protocol/status.h"
#include "protocol/wire.h"

// Checks an answer before a byte of it may be used, from the wire and in process alike. Pure.
namespace client {

/// Whether the header fits the request and announces exactly `payload_bytes`. Any status of the
/// target but ok comes back as the error, and so does protocol_error for an answer that contradicts
/// itself or the request.
[[nodiscard]] std::expected<void, protocol::Status> CheckReadReply(const ReadCommand& command,
                                                                   const protocol::ReadReply& reply,
                                                                   uint64_t payload_bytes);

/// Verifies the stored bytes that came with a reply that passed CheckReadReply. Gives the checksum
/// for the ETag: the computed one of a whole needle, the stored one of a stream needle, a slice or
/// metadata only.
[[nodiscard]] std::expected<uint32_t, protocol::Status> CheckReadBytes(
    const protocol::ReadReply& reply, std::span<const std::byte> payload);

}  // namespace client
