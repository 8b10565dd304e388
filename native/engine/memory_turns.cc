#include "engine/memory_turns.h"

#include <algorithm>
#include <utility>

namespace engine {
namespace {

constexpr uint64_t kReserveShare = 16;  // one in so many bytes of an arena is for short reads
/// Between two looks for those that have waited for too long.
constexpr uint64_t kLateLookNs = 10'000'000;

}  // namespace

bool MayTake(const memory::ArenaStats& arena, uint64_t held, uint64_t bytes) {
  if (arena.bytes_leased == 0) return true;  // whatever is possible at all
  const uint64_t kept = arena.bytes_leased + arena.bytes_total / kReserveShare;
  const uint64_t free = arena.bytes_total - std::min(arena.bytes_total, kept);
  if (bytes > free) return false;
  return held == 0 || held + bytes <= free - bytes;
}

memory::Lease MemoryTurns::Take(uint64_t bytes, uint32_t share) {
  if (share == 0) return arena_.Allocate(bytes);
  return QueueOf(bytes).empty() ? TakeNow(bytes, share) : memory::Lease();
}

memory::Lease MemoryTurns::TakeNow(uint64_t bytes, uint32_t share) {
  const bool may_take =
      bytes <= kShortBytesMax || MayTake(arena_.stats(), arena_.share_bytes(share), bytes);
  return may_take ? arena_.Allocate(bytes, share) : memory::Lease();
}

void MemoryTurns::Add(std::shared_ptr<ReadJob> job, uint64_t now_ns) {
  const uint64_t until_ns = std::min(now_ns + wait_ns_, job->deadline_ns());
  late_from_ns_ = std::min(late_from_ns_, until_ns);
  has_new_ = true;
  ++waiting_count_;
  Queue& queue = QueueOf(job->WantedBytes());
  const uint32_t share = job->share();
  queue.Push(share, {std::move(job), until_ns});
}

MemoryTurns::Due MemoryTurns::Look(uint64_t now_ns) {
  Due due;
  if (waiting_count_ == 0) return due;
  const bool has_late = now_ns >= late_from_ns_;
  const uint64_t leased_bytes = arena_.stats().bytes_leased;
  if (!has_late && !has_new_ && leased_bytes >= leased_bytes_) return due;
  if (has_late) {
    late_from_ns_ = now_ns + kLateLookNs;
    for (Queue* queue : {&short_, &large_}) TakeLate(*queue, now_ns, due);
  }
  for (Queue* queue : {&short_, &large_}) LookInto(*queue, due);
  waiting_count_ -= due.ready.size() + due.late.size();
  leased_bytes_ = arena_.stats().bytes_leased;
  has_new_ = false;
  return due;
}

/// Stops at a session that holds nothing and finds no room: the next room is its own, however
/// large.
void MemoryTurns::LookInto(Queue& queue, Due& due) {
  size_t skipped = 0;
  while (!queue.empty() && skipped < queue.flow_count()) {
    ReadJob& job = *queue.Front().job;
    if (memory::Lease lease = TakeNow(job.WantedBytes(), job.share())) {
      job.Provide(std::move(lease));
      due.ready.push_back(queue.Pop().job);
      skipped = 0;
    } else if (arena_.share_bytes(job.share()) == 0) {
      return;
    } else {
      queue.Skip();
      ++skipped;
    }
  }
}

/// Each session's reads become late in the order in which they came, but for deadlines of their
/// own.
void MemoryTurns::TakeLate(Queue& queue, uint64_t now_ns, Due& due) {
  size_t left = queue.flow_count();
  while (left > 0) {
    if (queue.Front().until_ns > now_ns) {
      queue.Skip();
      --left;
      continue;
    }
    due.late.push_back(queue.Pop().job);
    left = queue.flow_count();
  }
}

}  // namespace engine
