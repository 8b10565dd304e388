#pragma once

#include "client/client.h"
#include "client/request_table.h"

namespace client {

/// The completion of a request that failed.
inline void AppendFailure(Batch& batch, RequestKind kind, uint64_t id, protocol::Status status) {
  switch (kind) {
    case RequestKind::kRead:
      batch.reads.push_back({.request_id = id,
                             .status = status,
                             .checksum = 0,
                             .reply = {},
                             .lease = {},
                             .payload_offset = 0});
      break;
    case RequestKind::kValidate:
      batch.validations.push_back({.request_id = id, .status = status, .verdicts = {}});
      break;
    case RequestKind::kPing:
      batch.pongs.push_back({.request_id = id, .status = status, .round_trip_ns = 0, .pong = {}});
      break;
  }
}

}  // namespace client
