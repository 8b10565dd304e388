#pragma once

#include <atomic>
#include <cstdint>

namespace shelf {

/// One volume whose answers are published, for lanes to read and its owner to write; any thread.
class Volume {
 public:
  explicit Volume(uint32_t id) : id_(id) {}
  Volume(const Volume&) = delete;
  Volume& operator=(const Volume&) = delete;

  /// The owner's name for it.
  [[nodiscard]] uint32_t id() const { return id_; }

  /// Counts droppings of all its entries: an entry of another generation is dead.
  [[nodiscard]] uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

  /// Nothing that was published before is answered by a lane that asks from now on, and nothing
  /// without a question.
  void DropAll() {
    EndGrant();
    generation_.fetch_add(1, std::memory_order_acq_rel);
  }

  /// Live entries are answered without a question until then (CLOCK_MONOTONIC).
  void Grant(uint64_t until_ns) { granted_until_ns_.store(until_ns, std::memory_order_release); }
  void EndGrant() { Grant(0); }
  [[nodiscard]] bool IsGranted(uint64_t now_ns) const {
    return now_ns < granted_until_ns_.load(std::memory_order_acquire);
  }

 private:
  const uint32_t id_;
  std::atomic<uint64_t> generation_{0};
  std::atomic<uint64_t> granted_until_ns_{0};
};

}  // namespace shelf
