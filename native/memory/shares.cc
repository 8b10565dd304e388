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
  shares_[number].is_idle = false;
  return number;
}

void Shares::Close(uint32_t share) {
  CHECK(shares_[share].is_open);
  shares_[share].is_open = false;
  EndIfIdle(share);
}

void Shares::Add(uint32_t share, uint64_t bytes) { shares_[share].bytes += bytes; }

void Shares::Remove(uint32_t share, uint64_t bytes) {
  Share& held = shares_[share];
  CHECK(held.bytes >= bytes);
  held.bytes -= bytes;
  if (share != 0) EndIfIdle(share);
}

void Shares::EndIfIdle(uint32_t share) {
  Share& ended = shares_[share];
  if (ended.is_open || ended.is_idle || ended.bytes > 0) return;
  ended.is_idle = true;
  idle_.push_back(share);
}

}  // namespace memory
