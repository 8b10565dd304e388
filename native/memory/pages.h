#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>

#include "memory/arena.h"

// The arena's pages, mapped once and aligned to 2 MiB.
namespace memory {

inline constexpr uint64_t kHugepageBytes = 2ull << 20;

/// The pages that the kernel gave to a range.
struct GivenPages {
  bool is_hugetlb = false;
  uint64_t hugetlb_bytes = 0;
  uint64_t transparent_bytes = 0;
};
[[nodiscard]] GivenPages GivenBySmaps(const std::byte* base, uint64_t bytes);

class Pages {
 public:
  /// Every page is touched. `bytes` is a multiple of kHugepageBytes. The error says why and what to
  /// do.
  [[nodiscard]] static std::expected<Pages, std::string> Map(uint64_t bytes, Hugepages hugepages);
  /// Maps addresses without a page: the kernel gives each when it is written.
  [[nodiscard]] static std::expected<Pages, std::string> Reserve(uint64_t bytes,
                                                                 Hugepages hugepages);
  /// Gives pages back to the kernel; read again, they are zero. Who refers to the old ones keeps
  /// them.
  void Discard(uint64_t offset, uint64_t bytes);
  Pages(Pages&& other) noexcept;
  Pages& operator=(Pages&&) = delete;
  ~Pages();

  [[nodiscard]] std::byte* base() const { return base_; }
  [[nodiscard]] uint64_t bytes() const { return bytes_; }
  [[nodiscard]] PageKind kind() const { return kind_; }

 private:
  Pages(std::byte* base, uint64_t bytes) : base_(base), bytes_(bytes) {}
  std::byte* base_;
  uint64_t bytes_;
  PageKind kind_ = PageKind::kNormal;
};

}  // namespace memory
