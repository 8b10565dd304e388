#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

// Which needles' whole checksums were found right, in which generation. Bounded: the oldest is
// forgotten, which only costs another verification.
namespace engine {

class VerifiedNeedles {
 public:
  explicit VerifiedNeedles(uint64_t needles_max) : ring_(needles_max == 0 ? 1 : needles_max) {}

  /// The computed checksum of the record at `offset`, if it was verified.
  [[nodiscard]] std::optional<uint32_t> Find(uint64_t epoch, uint64_t offset) const {
    const auto found = checksums_.find({epoch, offset});
    if (found == checksums_.end()) return std::nullopt;
    return found->second;
  }

  void Add(uint64_t epoch, uint64_t offset, uint32_t checksum) {
    if (!checksums_.try_emplace({epoch, offset}, checksum).second) return;
    if (checksums_.size() > ring_.size()) checksums_.erase(ring_[next_]);
    ring_[next_] = {epoch, offset};
    next_ = (next_ + 1) % ring_.size();
  }

 private:
  struct Key {
    uint64_t epoch;
    uint64_t offset;
    [[nodiscard]] bool operator==(const Key&) const = default;
  };
  struct Hash {
    size_t operator()(const Key& key) const {
      return key.epoch ^ (key.offset / 8 * 0x9e3779b97f4a7c15ull);
    }
  };

  std::unordered_map<Key, uint32_t, Hash> checksums_;
  std::vector<Key> ring_;
  uint64_t next_ = 0;
};

}  // namespace engine
