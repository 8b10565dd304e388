#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace addon {

/// Request id → ticket, for the requests in flight. Open addressing with linear probing in a table
/// at most half full, so that a post and a completion allocate nothing. Request ids are never 0.
class TicketTable {
 public:
  explicit TicketTable(uint32_t tickets_max);

  [[nodiscard]] bool IsFull() const { return count_ >= tickets_max_; }
  void Put(uint64_t request_id, uint32_t ticket);
  /// Nothing when the id is not there.
  [[nodiscard]] std::optional<uint32_t> Take(uint64_t request_id);
  /// Any one that is left; nothing when none is.
  [[nodiscard]] std::optional<uint32_t> TakeAny();
  [[nodiscard]] uint32_t count() const { return count_; }

 private:
  struct Slot {
    uint64_t request_id = 0;
    uint32_t ticket = 0;
  };
  [[nodiscard]] size_t Home(uint64_t request_id) const;
  void Erase(size_t hole);

  std::vector<Slot> slots_;  // a power of two
  uint32_t tickets_max_;
  uint32_t count_ = 0;
};

}  // namespace addon
