#include "shelf/shelf.h"

#include <algorithm>

#include "memory/check.h"
#include "protocol/clock.h"

namespace shelf {
namespace {

/// Hashes the request's target, or the first line where there is none.
uint64_t HashOf(std::string_view head) {
  const size_t begin = head.find(' ') + 1;
  const size_t end = std::min(head.find(' ', begin), head.size());
  return std::hash<std::string_view>{}(head.substr(begin, end - begin));
}

bool IsClientIdChar(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-';
}

/// Null where the head is another one.
std::optional<std::string_view> ClientIdOf(const Heads& heads, std::string_view head) {
  if (!head.starts_with(heads.request)) return std::nullopt;
  const std::string_view rest = head.substr(heads.request.size());
  if (!heads.has_hole()) return rest.empty() ? std::optional<std::string_view>("") : std::nullopt;
  const size_t end = rest.find('\r');
  if (end == std::string_view::npos || end > kClientIdBytesMax) return std::nullopt;
  const std::string_view id = rest.substr(0, end);
  if (rest.substr(end) != heads.request_rest || !std::ranges::all_of(id, IsClientIdChar))
    return std::nullopt;
  return id;
}

}  // namespace

void Held::Reset() {
  if (entry_ != nullptr) shelf_->Release(*entry_);
  shelf_ = nullptr;
  entry_ = nullptr;
}

Shelf::~Shelf() {
  for (const auto& [id, entry] : published_) {
    CHECK(entry->holds_.load(std::memory_order_acquire) == 1);
    delete entry;
  }
}

uint64_t Shelf::Publish(NewEntry entry) {
  const uint64_t hash = HashOf(entry.heads.request);
  Shard& shard = ShardOf(hash);
  const std::lock_guard shard_lock(shard.mutex);
  const auto [first, last] = shard.entries.equal_range(hash);
  for (auto at = first; at != last; ++at) {
    const Entry& other = *at->second;
    if (other.heads().request == entry.heads.request &&
        other.heads().request_rest == entry.heads.request_rest &&
        other.shared_volume() == entry.volume && other.IsLive(protocol::NowNs()))
      return 0;
  }
  uint64_t id = 0;
  Entry* published = nullptr;
  {
    const std::lock_guard lock(owner_mutex_);
    id = ++last_id_;
    published = new Entry(id, std::move(entry));
    published_.emplace(id, published);
  }
  shard.entries.emplace(hash, published);
  return id;
}

bool Shelf::Withdraw(uint64_t id) {
  Entry* entry = nullptr;
  {
    const std::lock_guard lock(owner_mutex_);
    const auto found = published_.find(id);
    if (found == published_.end()) return false;
    entry = found->second;
    published_.erase(found);
  }
  entry->is_withdrawn_.store(true, std::memory_order_release);
  const uint64_t hash = HashOf(entry->heads().request);
  Shard& shard = ShardOf(hash);
  {
    const std::lock_guard lock(shard.mutex);
    const auto [first, last] = shard.entries.equal_range(hash);
    for (auto at = first; at != last; ++at) {
      if (at->second != entry) continue;
      shard.entries.erase(at);
      break;
    }
  }
  if (entry->holds_.fetch_sub(1, std::memory_order_acq_rel) > 1) return false;
  delete entry;
  return true;
}

std::vector<uint64_t> Shelf::TakeFreed() {
  const std::lock_guard lock(owner_mutex_);
  return std::exchange(freed_, {});
}

Recalled Shelf::Recall(std::string_view head, uint64_t now_ns) {
  const uint64_t hash = HashOf(head);
  Shard& shard = ShardOf(hash);
  const std::lock_guard lock(shard.mutex);
  const auto [first, last] = shard.entries.equal_range(hash);
  for (auto at = first; at != last; ++at) {
    Entry& entry = *at->second;
    // This head may have been published anew.
    if (!entry.IsLive(now_ns)) continue;
    const std::optional<std::string_view> client_id = ClientIdOf(entry.heads(), head);
    if (!client_id) continue;
    entry.holds_.fetch_add(1, std::memory_order_relaxed);
    return {.entry = Held(*this, entry), .client_id = *client_id};
  }
  return {};
}

size_t Shelf::size() const {
  const std::lock_guard lock(owner_mutex_);
  return published_.size();
}

void Shelf::Release(Entry& entry) {
  if (entry.holds_.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
  {
    const std::lock_guard lock(owner_mutex_);
    freed_.push_back(entry.id());
  }
  delete &entry;
  on_freed_();
}

}  // namespace shelf
