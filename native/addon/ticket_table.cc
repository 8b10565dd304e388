#include "addon/ticket_table.h"

#include <bit>

#include "memory/check.h"

namespace addon {

TicketTable::TicketTable(uint32_t tickets_max)
    : slots_(std::bit_ceil(size_t{tickets_max} * 2 + 2)), tickets_max_(tickets_max) {}

void TicketTable::Put(uint64_t request_id, uint32_t ticket) {
  CHECK(!IsFull() && request_id != 0);
  size_t at = Home(request_id);
  while (slots_[at].request_id != 0) at = (at + 1) & (slots_.size() - 1);
  slots_[at] = {request_id, ticket};
  ++count_;
}

std::optional<uint32_t> TicketTable::Take(uint64_t request_id) {
  size_t at = Home(request_id);
  while (slots_[at].request_id != request_id) {
    if (slots_[at].request_id == 0) return std::nullopt;
    at = (at + 1) & (slots_.size() - 1);
  }
  const uint32_t ticket = slots_[at].ticket;
  Erase(at);
  return ticket;
}

std::optional<uint32_t> TicketTable::TakeAny() {
  for (size_t at = 0; count_ > 0 && at < slots_.size(); ++at) {
    if (slots_[at].request_id == 0) continue;
    const uint32_t ticket = slots_[at].ticket;
    Erase(at);
    return ticket;
  }
  return std::nullopt;
}

size_t TicketTable::Home(uint64_t request_id) const {
  return static_cast<size_t>((request_id * 0x9E3779B97F4A7C15ull) >> 32) & (slots_.size() - 1);
}

/// Moves back what was pushed past the hole, so that no probe ever crosses an empty slot in vain.
void TicketTable::Erase(size_t hole) {
  const size_t mask = slots_.size() - 1;
  for (size_t at = (hole + 1) & mask; slots_[at].request_id != 0; at = (at + 1) & mask) {
    const size_t probed = (at - Home(slots_[at].request_id)) & mask;
    if (probed < ((at - hole) & mask)) continue;
    slots_[hole] = slots_[at];
    hole = at;
  }
  slots_[hole] = {};
  --count_;
}

}  // namespace addon
