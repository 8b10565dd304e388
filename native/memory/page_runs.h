#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

// Runs of pages within one range: two-level segregated fit with out-of-band boundary tags, so that
// allocation and coalescing take constant time and no byte of the range is ever touched. One
// thread.
namespace memory {

class PageRuns {
 public:
  explicit PageRuns(uint32_t page_count);

  /// First page of a run of exactly `pages`; nothing when no free run is long enough.
  [[nodiscard]] std::optional<uint32_t> Allocate(uint32_t pages);
  /// Returns a run by its first page and merges it with its free neighbours.
  void Free(uint32_t first);

  [[nodiscard]] uint32_t RunPages(uint32_t first) const { return tags_[first].pages; }
  [[nodiscard]] uint32_t pages_free() const { return pages_free_; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr uint32_t kSubclassBits = 4;  // 16 subclasses a doubling
  static constexpr uint32_t kSubclasses = 1u << kSubclassBits;
  static constexpr uint32_t kClasses = 32;
  static constexpr uint32_t kExactScanMax = 64;  // runs looked at in the class that may not fit

  // On the first page of each run; the last page of it repeats `pages` and `is_free`.
  struct Tag {
    uint32_t pages = 0;
    uint32_t next = kNone;  // free runs of the same class
    uint32_t previous = kNone;
    bool is_free = false;
  };
  struct Bin {
    uint32_t row;
    uint32_t column;
  };

  [[nodiscard]] static Bin BinOf(uint32_t pages);
  [[nodiscard]] uint32_t FindRun(uint32_t pages) const;
  void SetRun(uint32_t first, uint32_t pages, bool is_free);
  void Link(uint32_t first);
  void Unlink(uint32_t first);

  std::vector<Tag> tags_;
  std::array<std::array<uint32_t, kSubclasses>, kClasses> heads_;
  std::array<uint32_t, kClasses> columns_used_{};
  uint32_t rows_used_ = 0;
  uint32_t pages_free_;
};

}  // namespace memory
