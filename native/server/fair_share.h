#pragma once

#include <cstdint>

namespace server {

/// Whether one of those who share `total` may take more, with `held` of its own and `taken` by all:
/// while it holds less than is left. So one gets half, two get a third each, and there is always
/// something left for the next one.
[[nodiscard]] constexpr bool HasShare(uint64_t held, uint64_t taken, uint64_t total) {
  return taken < total && held < total - taken;
}

}  // namespace server
