#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// The .vif file beside a volume: protojson, rewritten in place by the volume server.
namespace storage {

struct VolumeInfo {
  bool is_tiered = false;     // `files` is not empty: the data lives elsewhere
  uint32_t offset_bytes = 4;  // of .idx rows: 4 or 5
  uint32_t version = 0;       // 0: not stated; the superblock wins anyway
  bool is_read_only = false;
};

/// Empty text counts as an absent file. Nothing when it cannot be understood: the volume is not
/// served then.
[[nodiscard]] std::optional<VolumeInfo> ParseVolumeInfo(std::string_view text);

/// The text that a volume server writes for a new volume.
[[nodiscard]] std::string EncodeVolumeInfo(uint32_t version, std::string_view replication,
                                           uint32_t offset_bytes, uint64_t expire_at_s);

}  // namespace storage
