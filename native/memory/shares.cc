#include "memory/shares.h"

#include "memory/check.h"

namespace memory {

uint32_t Shares::Open() {
  uint32_t number = static_cast<uint32_t>(shares_.size());
  if (idle_.empty()) {
    shares_.emplace_back();
  } else {
    number = idle_.back();
    idle_.pop_back();
  }
  shares_[number].is_open = true;
  return number;
}

void Shares::Close(uint32_t share) {
  CHECK(shares_[share].is_open);
  shares_[share].is_open = false;
  if (shares_[share].bytes == 0) idle_.push_back(share);
}

void Shares::Add(uint32_t share, uint64_t bytes) { shares_[share].bytes += bytes; }

void Shares::Remove(uint32_t share, uint64_t bytes) {
  Share& held = shares_[share];
  CHECK(held.bytes >= bytes);
  held.bytes -= bytes;
  if (share != 0 && held.bytes == 0 && !held.is_open) idle_.push_back(share);
}

}  // namespace memory
