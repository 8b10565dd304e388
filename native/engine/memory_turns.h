#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/fair_queue.h"
#include "engine/read_job.h"
#include "memory/arena.h"

// The arena's memory by turns: no session keeps the others from it, and large reads leave some to
// short ones. Confined to the engine's thread.
namespace engine {

/// Whether a session that holds `held` bytes may take `bytes` more for a large read: at most as
/// much as is left free then, but for a sixteenth of the arena, which is for short reads. So one
/// session gets half of an arena, two get a third each, and there is always something left for the
/// next one. A session that holds nothing may take what there is.
[[nodiscard]] bool MayTake(const memory::ArenaStats& arena, uint64_t held, uint64_t bytes);

class MemoryTurns {
 public:
  /// Reads wait for memory up to `wait_ns`; 0: they do not.
  MemoryTurns(memory::Arena& arena, uint64_t wait_ns) : arena_(arena), wait_ns_(wait_ns) {}

  /// Memory for a read that comes now; empty: there is none, or it is the others' turn. Share 0 has
  /// no turns: it is the arena's only user.
  [[nodiscard]] memory::Lease Take(uint64_t bytes, uint32_t share);

  /// Whether a read that got none may wait.
  [[nodiscard]] bool MayWait(const ReadJob& job) const {
    return wait_ns_ > 0 && job.share() != 0 && job.WantedBytes() <= arena_.largest_slab_bytes();
  }
  void Add(std::shared_ptr<ReadJob> job, uint64_t now_ns);

  struct Due {
    std::vector<std::shared_ptr<ReadJob>> ready;  // have their memory
    std::vector<std::shared_ptr<ReadJob>> late;   // have waited for too long
  };
  /// Those whose turn has come. Cheap while nothing waits, and while nothing has changed.
  [[nodiscard]] Due Look(uint64_t now_ns);

  [[nodiscard]] uint64_t waiting_count() const { return waiting_count_; }

 private:
  struct Waiting {
    std::shared_ptr<ReadJob> job;
    uint64_t until_ns;
  };
  using Queue = FairQueue<Waiting>;

  [[nodiscard]] Queue& QueueOf(uint64_t bytes) { return bytes <= kShortBytesMax ? short_ : large_; }
  [[nodiscard]] memory::Lease TakeNow(uint64_t bytes, uint32_t share);
  void LookInto(Queue& queue, Due& due);
  void TakeLate(Queue& queue, uint64_t now_ns, Due& due);

  memory::Arena& arena_;
  const uint64_t wait_ns_;
  Queue short_;
  Queue large_;
  uint64_t waiting_count_ = 0;
  uint64_t leased_bytes_ = 0;  // when it was last looked
  uint64_t late_from_ns_ = UINT64_MAX;
  bool has_new_ = false;
};

}  // namespace engine
