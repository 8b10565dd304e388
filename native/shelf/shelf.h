#pragma once

#include <array>
#include <functional>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "shelf/entry.h"

// The answers that lanes may give by themselves: published by one owner, looked up by any thread.
namespace shelf {

class Shelf;

/// Keeps an entry, and its body's bytes, where they are.
class Held {
 public:
  Held() = default;
  Held(Held&& other) noexcept
      : shelf_(std::exchange(other.shelf_, nullptr)),
        entry_(std::exchange(other.entry_, nullptr)) {}
  Held& operator=(Held&& other) noexcept {
    std::swap(shelf_, other.shelf_);
    std::swap(entry_, other.entry_);
    return *this;
  }
  ~Held() { Reset(); }

  void Reset();
  [[nodiscard]] const Entry* operator->() const { return entry_; }
  [[nodiscard]] const Entry& operator*() const { return *entry_; }
  explicit operator bool() const { return entry_ != nullptr; }

 private:
  friend class Shelf;
  Held(Shelf& shelf, Entry& entry) : shelf_(&shelf), entry_(&entry) {}

  Shelf* shelf_ = nullptr;
  Entry* entry_ = nullptr;
};

/// A lane's find for a request's head.
struct Recalled {
  Held entry;
  /// The client's request id, as it stands in the request; empty: none, or no hole for it.
  std::string_view client_id;
};

class Shelf {
 public:
  /// `on_freed` is called by the thread that freed an entry after it was withdrawn: its id waits
  /// for TakeFreed().
  explicit Shelf(std::function<void()> on_freed) : on_freed_(std::move(on_freed)) {}
  /// Frees all that is still published. No hold may be left.
  ~Shelf();
  Shelf(const Shelf&) = delete;
  Shelf& operator=(const Shelf&) = delete;

  /// Returns the entry's id; from here on lanes may answer it. 0: a live entry has this very
  /// request already.
  uint64_t Publish(NewEntry entry);
  /// No lane finds it any more, and none that asks anew answers it. True: it was freed, nothing
  /// reads its body; false: TakeFreed() will name it, or there is none of this id.
  bool Withdraw(uint64_t id);
  /// Ids of withdrawn entries that nothing reads any more; each is named once.
  [[nodiscard]] std::vector<uint64_t> TakeFreed();

  /// `head`: one request's head, blank line included. Only bytes are compared. The entry is live at
  /// `now_ns` (CLOCK_MONOTONIC); whether it still is may be asked again.
  [[nodiscard]] Recalled Recall(std::string_view head, uint64_t now_ns);

  [[nodiscard]] size_t size() const;

 private:
  friend class Held;
  static constexpr size_t kShards = 64;

  struct Shard {
    mutable std::mutex mutex;
    /// By the hash of the request's target.
    std::unordered_multimap<uint64_t, Entry*> entries;
  };

  [[nodiscard]] Shard& ShardOf(uint64_t hash) { return shards_[hash % kShards]; }
  void Release(Entry& entry);

  const std::function<void()> on_freed_;
  std::array<Shard, kShards> shards_;
  mutable std::mutex owner_mutex_;
  std::unordered_map<uint64_t, Entry*> published_;
  std::vector<uint64_t> freed_;
  uint64_t last_id_ = 0;
};

}  // namespace shelf
