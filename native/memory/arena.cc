#include "memory/arena.h"

#include <utility>

#include "memory/check.h"
#include "memory/pages.h"
#include "memory/shares.h"
#include "memory/slabs.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace memory {
namespace {

// Bytes that no lease covers are poisoned under AddressSanitizer: a use after release is then
// reported where it happens.
void Poison([[maybe_unused]] const std::byte* at, [[maybe_unused]] uint64_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  ASAN_POISON_MEMORY_REGION(at, bytes);
#endif
}

void Unpoison([[maybe_unused]] const std::byte* at, [[maybe_unused]] uint64_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  ASAN_UNPOISON_MEMORY_REGION(at, bytes);
#endif
}

}  // namespace

std::string_view PageKindName(PageKind kind) {
  switch (kind) {
    case PageKind::kHugetlb:
      return "hugetlb";
    case PageKind::kTransparent:
      return "transparent";
    case PageKind::kNormal:
      return "normal";
  }
  return "normal";
}

struct Arena::State {
  Pages pages;
  Slabs slabs;
  Shares shares{};
  bool is_ordinary = false;
  uint64_t refusals = 0;
  uint64_t refused_bytes = 0;
};

std::unique_ptr<Arena> Arena::Create(const ArenaOptions& options, std::string& error) {
  constexpr uint64_t kBytesMax = (UINT32_MAX / 2) * kPageBytes;
  if (options.bytes == 0 || options.bytes > kBytesMax) {
    error = "an arena of " + std::to_string(options.bytes) + " bytes is not possible";
    return nullptr;
  }
  const uint64_t bytes = (options.bytes + kHugepageBytes - 1) / kHugepageBytes * kHugepageBytes;
  auto pages = options.is_ordinary ? Pages::Reserve(bytes, options.hugepages)
                                   : Pages::Map(bytes, options.hugepages);
  if (!pages) {
    error = pages.error();
    return nullptr;
  }
  Poison(pages->base(), bytes);
  const uint64_t small_bytes_max =
      options.is_ordinary ? kOrdinarySmallBytesMax : Slabs::kSmallBytesMax;
  auto state = std::unique_ptr<State>(new State{std::move(*pages), Slabs(bytes, small_bytes_max)});
  state->is_ordinary = options.is_ordinary;
  return std::unique_ptr<Arena>(new Arena(std::move(state)));
}

Arena::Arena(std::unique_ptr<State> state) : state_(std::move(state)) {}

Arena::~Arena() {
  CHECK(state_->slabs.leased_count() == 0);
  Unpoison(state_->pages.base(), state_->pages.bytes());
}

Lease Arena::Allocate(uint64_t bytes, uint32_t share) {
  const auto slab = state_->slabs.Allocate(bytes);
  Lease lease;
  if (!slab) {
    state_->refusals++;
    state_->refused_bytes = bytes;
    return lease;
  }
  lease.arena_ = this;
  lease.slab_ = *slab;
  Slabs::Slab& held = state_->slabs.at(*slab);
  lease.bytes_ = {state_->pages.base() + held.offset, bytes};
  held.share = share;
  state_->shares.Add(share, held.bytes);
  Unpoison(lease.bytes_.data(), bytes);
  return lease;
}

uint32_t Arena::OpenShare() { return state_->shares.Open(); }

void Arena::CloseShare(uint32_t share) { state_->shares.Close(share); }

uint64_t Arena::share_bytes(uint32_t share) const { return state_->shares.bytes(share); }

std::span<std::byte> Arena::span() const { return {state_->pages.base(), state_->pages.bytes()}; }

PageKind Arena::page_kind() const { return state_->pages.kind(); }

ArenaStats Arena::stats() const {
  return {.bytes_total = state_->pages.bytes(),
          .bytes_leased = state_->slabs.bytes_leased(),
          .leases_outstanding = state_->slabs.leased_count(),
          .refusals = state_->refusals,
          .refused_bytes = state_->refused_bytes};
}

uint64_t Arena::largest_slab_bytes() const { return state_->pages.bytes(); }

void Arena::Retain(uint32_t slab) { state_->slabs.at(slab).references++; }

void Arena::Release(uint32_t slab) {
  Slabs::Slab& held = state_->slabs.at(slab);
  CHECK(held.references > 0);
  if (--held.references > 0) return;
  Poison(state_->pages.base() + held.offset, held.bytes);
  state_->shares.Remove(held.share, held.bytes);
  if (state_->is_ordinary && held.bytes > kOrdinarySmallBytesMax)
    state_->pages.Discard(held.offset, held.bytes);
  state_->slabs.Free(slab);
}

Lease::Lease(Lease&& other) noexcept
    : arena_(std::exchange(other.arena_, nullptr)),
      slab_(other.slab_),
      bytes_(std::exchange(other.bytes_, {})) {}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this == &other) return *this;
  Reset();
  arena_ = std::exchange(other.arena_, nullptr);
  slab_ = other.slab_;
  bytes_ = std::exchange(other.bytes_, {});
  return *this;
}

Lease::~Lease() { Reset(); }

Lease Lease::Share() const {
  Lease lease;
  if (arena_ == nullptr) return lease;
  arena_->Retain(slab_);
  lease.arena_ = arena_;
  lease.slab_ = slab_;
  lease.bytes_ = bytes_;
  return lease;
}

uint64_t Lease::offset() const {
  return arena_ == nullptr ? 0 : static_cast<uint64_t>(bytes_.data() - arena_->span().data());
}

uint64_t Lease::slab_bytes() const {
  return arena_ == nullptr ? 0 : arena_->state_->slabs.at(slab_).bytes;
}

void Lease::Reset() {
  bytes_ = {};
  if (arena_ != nullptr) std::exchange(arena_, nullptr)->Release(slab_);
}

}  // namespace memory
