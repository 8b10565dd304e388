#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "shelf/volume.h"

namespace shelf {

/// Bytes of an answer's X-Amz-Request-Id, and of its Date.
inline constexpr size_t kRequestIdBytes = 24;
inline constexpr size_t kDateBytes = 29;
/// A client's own request id is a hole in the request's bytes: so many characters at most.
inline constexpr size_t kClientIdBytesMax = 64;

/// A request's head, and the head of its answer. Both were judged before they came here.
struct Heads {
  /// All of the request's head; with a hole, what stands before it.
  std::string request;
  /// With a hole, what stands behind it, beginning with the line end; empty: there is none.
  std::string request_rest;
  std::string answer;
  /// Where the answer's own values stand in it: kRequestIdBytes, once more, and kDateBytes.
  uint32_t id_at = 0;
  std::optional<uint32_t> id_again_at;
  uint32_t date_at = 0;

  [[nodiscard]] bool has_hole() const { return !request_rest.empty(); }
};

struct NewEntry {
  Heads heads;
  /// Where a HEAD is answered: empty. Stays where it is, unchanged, until the entry is freed.
  std::span<const std::byte> body;
  /// The body's pages are never written again, even after it was freed: they may be given to the
  /// kernel by reference.
  bool is_by_reference = false;
  std::shared_ptr<Volume> volume;
  /// The client's program: what requests with these heads are counted under.
  uint32_t agent = 0;
  /// CLOCK_MONOTONIC; from then on it is not answered. 0: never ends.
  uint64_t expires_at_ns = 0;
};

/// A published answer. Does not change but for its counts; freed by the last hold.
class Entry {
 public:
  Entry(uint64_t id, NewEntry entry)
      : id_(id),
        heads_(std::make_shared<const Heads>(std::move(entry.heads))),
        body_(entry.body),
        is_by_reference_(entry.is_by_reference),
        volume_(std::move(entry.volume)),
        generation_(volume_->generation()),
        agent_(entry.agent),
        expires_at_ns_(entry.expires_at_ns) {}
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;

  [[nodiscard]] uint64_t id() const { return id_; }
  [[nodiscard]] const Heads& heads() const { return *heads_; }
  [[nodiscard]] const std::shared_ptr<const Heads>& shared_heads() const { return heads_; }
  [[nodiscard]] std::span<const std::byte> body() const { return body_; }
  [[nodiscard]] bool is_by_reference() const { return is_by_reference_; }
  [[nodiscard]] Volume& volume() const { return *volume_; }
  [[nodiscard]] const std::shared_ptr<Volume>& shared_volume() const { return volume_; }
  [[nodiscard]] uint32_t agent() const { return agent_; }

  /// Whether it may still be answered, at this moment.
  [[nodiscard]] bool IsLive(uint64_t now_ns) const {
    return !is_withdrawn_.load(std::memory_order_acquire) && generation_ == volume_->generation() &&
           (expires_at_ns_ == 0 || now_ns < expires_at_ns_);
  }

 private:
  friend class Shelf;
  friend class Held;

  const uint64_t id_;
  const std::shared_ptr<const Heads> heads_;
  const std::span<const std::byte> body_;
  const bool is_by_reference_;
  const std::shared_ptr<Volume> volume_;
  const uint64_t generation_;
  const uint32_t agent_;
  const uint64_t expires_at_ns_;
  std::atomic<bool> is_withdrawn_{false};
  std::atomic<uint32_t> holds_{1};  // the shelf's own
};

}  // namespace shelf
