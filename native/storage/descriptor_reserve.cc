#include "storage/descriptor_reserve.h"

#include <sys/resource.h>

#include <algorithm>

namespace storage {
namespace {

constexpr uint64_t kReserveMax = 256;
constexpr uint64_t kReserveShare = 4;  // of a small limit: one in four

}  // namespace

bool IsOfReserve(int fd, uint64_t limit) {
  const uint64_t reserve = std::min(limit / kReserveShare, kReserveMax);
  return static_cast<uint64_t>(fd) >= limit - reserve;
}

uint64_t DescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return RLIM_INFINITY;
  return limit.rlim_cur;
}

}  // namespace storage
