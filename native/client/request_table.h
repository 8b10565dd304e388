#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <queue>
#include <vector>

#include "client/client.h"

// Requests in flight by id, and their deadlines. An id is (sequence << 16 | slot): an answer to a
// request that is over finds another sequence in the slot, or nothing.
namespace client {

enum class RequestKind : uint8_t { kRead, kValidate, kPing };

struct Request {
  uint64_t id = 0;  // 0: the slot is free
  RequestKind kind{};
  bool is_waiting = false;    // the caller has not been told how it ended
  bool is_receiving = false;  // UCX writes into `lease`: the slot stays taken until UCX calls back
  TargetId target = 0;
  uint32_t item_count = 0;  // of a validation
  bool is_lease_asked = false;
  uint64_t posted_ns = 0;
  uint64_t deadline_ns = 0;
  ReadCommand read{};
  protocol::ReadReply reply{};
  memory::Lease lease;
  void* owner = nullptr;  // of a receive, for UCX's callback
};

class RequestTable {
 public:
  /// `requests_max` at most kSlotsMax.
  explicit RequestTable(uint32_t requests_max) : requests_max_(requests_max) {}

  static constexpr uint32_t kSlotsMax =
      0xffff;  // the last slot number belongs to requests without one

  /// A slot with kind, target and times filled in; null when all are taken. Its address stays
  /// valid.
  [[nodiscard]] Request* Add(RequestKind kind, TargetId target, uint64_t now_ns,
                             uint64_t timeout_ns);
  /// For a request that fails before it has a slot.
  [[nodiscard]] uint64_t IdWithoutSlot();
  /// Null for an id that is not, or no longer, taken.
  [[nodiscard]] Request* Find(uint64_t id);
  void Remove(Request& request);

  /// The request whose deadline passed first, while it is still waiting; each comes once.
  [[nodiscard]] Request* PopOverdue(uint64_t now_ns);
  [[nodiscard]] std::optional<uint64_t> next_deadline_ns() const;
  /// Forgets the deadlines of requests that are over; keeps the heap as small as what is in flight.
  void ForgetDeadlines();

  template <typename Function>
  void ForEach(TargetId target, Function&& function) {
    for (Request& request : slots_) {
      if (request.id != 0 && request.target == target) function(request);
    }
  }
  [[nodiscard]] uint32_t taken() const { return taken_; }

 private:
  struct Deadline {
    uint64_t at_ns;
    uint64_t id;
    bool operator>(const Deadline& other) const { return at_ns > other.at_ns; }
  };

  const uint32_t requests_max_;
  uint64_t sequence_ = 0;
  uint32_t taken_ = 0;
  std::deque<Request> slots_;
  std::vector<uint32_t> free_slots_;
  std::priority_queue<Deadline, std::vector<Deadline>, std::greater<>> deadlines_;
};

}  // namespace client
