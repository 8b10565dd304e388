#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

// The one arena of a process: registered once, cut into size-class slabs, handed out as leases.
// Confined to the thread that created it, except that a lease's bytes may be filled elsewhere.
namespace memory {

enum class Hugepages { kTry, kRequire, kOff };
enum class PageKind { kHugetlb, kTransparent, kNormal };
[[nodiscard]] std::string_view PageKindName(PageKind kind);  // "hugetlb" | "transparent" | "normal"

struct ArenaStats {
  uint64_t bytes_total;
  uint64_t bytes_leased;  // sum of the slab sizes that are out, not of the bytes asked for
  uint64_t leases_outstanding;
  uint64_t refusals;       // allocations that found no slab
  uint64_t refused_bytes;  // what the last of them asked for
};

class Arena;

/// A counted reference to a range of one slab. Move-only; Share() makes another reference; the last
/// one to go returns the slab. An empty lease is false.
class Lease {
 public:
  Lease() = default;
  Lease(Lease&& other) noexcept;
  Lease& operator=(Lease&& other) noexcept;
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease();

  [[nodiscard]] Lease Share() const;
  explicit operator bool() const { return arena_ != nullptr; }
  /// The bytes asked for (capacity may be larger). On any thread.
  [[nodiscard]] std::span<std::byte> bytes() const { return bytes_; }
  [[nodiscard]] uint64_t offset() const;      // of bytes() in the arena
  [[nodiscard]] uint64_t slab_bytes() const;  // what it keeps from others
  void Reset();

 private:
  friend class Arena;
  Arena* arena_ = nullptr;
  uint32_t slab_ = 0;
  std::span<std::byte> bytes_;
};

/// Longer slabs of ordinary memory have pages of their own.
inline constexpr uint64_t kOrdinarySmallBytesMax = 32ull << 10;

struct ArenaOptions {
  uint64_t bytes;  // rounded up to 2 MiB
  Hugepages hugepages = Hugepages::kTry;
  /// Ordinary memory that is never registered: its pages are taken when they are written, as
  /// transparent hugepages unless kOff, and those of a slab over kOrdinarySmallBytesMax go back to
  /// the kernel with its last lease. Bytes that were given to the kernel by reference thus stay
  /// what they were: the slab's next owner writes other pages.
  bool is_ordinary = false;
};

class Arena {
 public:
  /// Nothing when the memory cannot be had (or no hugepages with kRequire); `error` then says why
  /// and what to do.
  [[nodiscard]] static std::unique_ptr<Arena> Create(const ArenaOptions& options,
                                                     std::string& error);
  ~Arena();  // every lease must be home

  /// An empty lease when no slab is free: exhaustion is an ordinary outcome. The slab counts for
  /// `share` until it is back.
  [[nodiscard]] Lease Allocate(uint64_t bytes, uint32_t share = 0);

  /// A number for what one user takes; 0 is that of those who have none.
  [[nodiscard]] uint32_t OpenShare();
  /// Nothing may be taken for it any more. Leases may still be out.
  void CloseShare(uint32_t share);
  /// Bytes of the slabs that are out for it.
  [[nodiscard]] uint64_t share_bytes(uint32_t share) const;

  [[nodiscard]] std::span<std::byte> span() const;
  [[nodiscard]] PageKind page_kind() const;  // from /proc/self/smaps, not from madvise's return
  [[nodiscard]] ArenaStats stats() const;
  /// The largest possible lease, in an otherwise empty arena.
  [[nodiscard]] uint64_t largest_slab_bytes() const;

 private:
  friend class Lease;
  struct State;
  explicit Arena(std::unique_ptr<State> state);
  void Retain(uint32_t slab);
  void Release(uint32_t slab);

  std::unique_ptr<State> state_;
};

}  // namespace memory
