#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/engine.h"
#include "protocol/wire.h"

// The lists that a target sends, as bytes. Pure.
namespace server {

struct VolumePage {
  protocol::Volumes header;
  std::shared_ptr<const std::vector<std::byte>> rows;  // the same bytes go to every session
};

/// At least one page, also for an empty list.
[[nodiscard]] std::vector<VolumePage> MakeVolumePages(
    uint64_t generation, std::span<const engine::AnnouncedVolume> volumes);

inline constexpr size_t kIdsPerReplyMax =
    65536;  // rows past it say "flush", which is always true enough

/// Makes an answer with too many ids one that says flush; `ids_count` adds up over the list.
void LimitIds(engine::ValidateResult& result, size_t& ids_count);

void AppendValidateRow(std::vector<std::byte>& list, const engine::ValidateResult& result);

}  // namespace server
