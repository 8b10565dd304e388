#include "client/request_table.h"

#include <limits>

namespace client {
namespace {

constexpr uint64_t kSlotBits = 16;

uint64_t Later(uint64_t now_ns, uint64_t timeout_ns) {
  return timeout_ns > std::numeric_limits<uint64_t>::max() - now_ns
             ? std::numeric_limits<uint64_t>::max()
             : now_ns + timeout_ns;
}

}  // namespace

Request* RequestTable::Add(RequestKind kind, TargetId target, uint64_t now_ns,
                           uint64_t timeout_ns) {
  if (free_slots_.empty()) {
    if (slots_.size() >= requests_max_) return nullptr;
    free_slots_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  Request& request = slots_[slot];
  request.id = ++sequence_ << kSlotBits | slot;
  request.kind = kind;
  request.is_waiting = true;
  request.target = target;
  request.posted_ns = now_ns;
  request.deadline_ns = Later(now_ns, timeout_ns);
  deadlines_.push({request.deadline_ns, request.id});
  ++taken_;
  return &request;
}

uint64_t RequestTable::IdWithoutSlot() { return ++sequence_ << kSlotBits | kSlotsMax; }

Request* RequestTable::Find(uint64_t id) {
  const uint64_t slot = id & kSlotsMax;
  if (id == 0 || slot >= slots_.size() || slots_[slot].id != id) return nullptr;
  return &slots_[slot];
}

void RequestTable::Remove(Request& request) {
  free_slots_.push_back(static_cast<uint32_t>(request.id & kSlotsMax));
  request.id = 0;
  request.is_waiting = request.is_receiving = false;
  request.lease.Reset();
  --taken_;
}

Request* RequestTable::PopOverdue(uint64_t now_ns) {
  while (!deadlines_.empty() && deadlines_.top().at_ns <= now_ns) {
    Request* const request = Find(deadlines_.top().id);
    deadlines_.pop();
    if (request != nullptr && request->is_waiting) return request;
  }
  return nullptr;
}

std::optional<uint64_t> RequestTable::next_deadline_ns() const {
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.top().at_ns;
}

void RequestTable::ForgetDeadlines() {
  while (!deadlines_.empty()) {
    const Request* const request = Find(deadlines_.top().id);
    if (request != nullptr && request->is_waiting) return;
    deadlines_.pop();
  }
}

}  // namespace client
