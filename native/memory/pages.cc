#include "memory/pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "memory/check.h"

namespace memory {
namespace {

constexpr int kProtection = PROT_READ | PROT_WRITE;
constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS;

// A mapping that starts on a hugepage boundary: only then can the kernel back all of it with
// hugepages.
std::byte* MapAligned(uint64_t bytes) {
  const uint64_t padded = bytes + kHugepageBytes;
  void* raw = mmap(nullptr, padded, kProtection, kFlags | MAP_NORESERVE, -1, 0);
  if (raw == MAP_FAILED) return nullptr;
  const auto start = reinterpret_cast<uintptr_t>(raw);
  const uintptr_t aligned = (start + kHugepageBytes - 1) & ~(kHugepageBytes - 1);
  const uint64_t before = aligned - start;
  const uint64_t after = kHugepageBytes - before;
  std::byte* const mapped = static_cast<std::byte*>(raw) + before;
  if (before > 0) munmap(raw, before);
  if (after > 0) munmap(mapped + bytes, after);
  return mapped;
}

// All pages now, so that a lack of memory shows at start-up and not as a SIGBUS or an OOM kill
// later.
bool Populate(std::byte* base, uint64_t bytes) {
  if (madvise(base, bytes, MADV_POPULATE_WRITE) == 0) return true;
  if (errno != EINVAL) return false;  // EINVAL: older than Linux 5.14
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  for (uint64_t at = 0; at < bytes; at += page) static_cast<volatile std::byte*>(base)[at] = {};
  return true;
}

PageKind KindOf(const GivenPages& given, uint64_t bytes) {
  if (given.is_hugetlb) return PageKind::kHugetlb;
  return given.transparent_bytes >= bytes / 2 ? PageKind::kTransparent : PageKind::kNormal;
}

// A control group's limit lets mmap reserve hugepages and refuses the pages themselves:
// MAP_POPULATE does not say so, and the first touch is a SIGBUS. So it is asked for here, where an
// answer comes as a value.
bool HugetlbIsThere(std::byte* base, uint64_t bytes) {
  if (madvise(base, bytes, MADV_POPULATE_WRITE) == 0) return true;
  if (errno != EINVAL) return false;
  return GivenBySmaps(base, bytes).hugetlb_bytes >= bytes;
}

}  // namespace

// /proc/self/smaps tells it; madvise and mmap only tell what was asked for. A range may be split or
// merged with its neighbours, so every mapping that overlaps it counts.
GivenPages GivenBySmaps(const std::byte* base, uint64_t bytes) {
  GivenPages given;
  std::FILE* file = std::fopen("/proc/self/smaps", "re");
  if (file == nullptr) return given;
  const auto begin = reinterpret_cast<uintptr_t>(base);
  const uintptr_t end = begin + bytes;
  bool is_ours = false;
  char line[512];
  while (std::fgets(line, sizeof line, file) != nullptr) {
    // The kernel's own numbers fit.
    // NOLINTBEGIN(bugprone-unchecked-string-to-number-conversion)
    unsigned long from = 0;
    unsigned long to = 0;
    unsigned long kib = 0;
    if (std::sscanf(line, "%lx-%lx ", &from, &to) == 2) {
      is_ours = from < end && to > begin;
    } else if (is_ours && std::sscanf(line, "KernelPageSize: %lu kB", &kib) == 1) {
      given.is_hugetlb = given.is_hugetlb || kib * 1024 >= kHugepageBytes;
    } else if (is_ours && std::sscanf(line, "AnonHugePages: %lu kB", &kib) == 1) {
      given.transparent_bytes += kib * 1024;
    } else if (is_ours && std::sscanf(line, "Private_Hugetlb: %lu kB", &kib) == 1) {
      given.hugetlb_bytes += kib * 1024;
    }
    // NOLINTEND(bugprone-unchecked-string-to-number-conversion)
  }
  std::fclose(file);
  return given;
}

std::expected<Pages, std::string> Pages::Map(uint64_t bytes, Hugepages hugepages) {
  const std::string size = std::to_string(bytes >> 20) + " MiB";
  if (hugepages != Hugepages::kOff) {
    void* base = mmap(nullptr, bytes, kProtection, kFlags | MAP_HUGETLB | MAP_POPULATE, -1, 0);
    std::string why = base == MAP_FAILED ? std::strerror(errno) : "";
    if (base != MAP_FAILED && !HugetlbIsThere(static_cast<std::byte*>(base), bytes)) {
      munmap(base, bytes);
      base = MAP_FAILED;
      why = "reserved, but a control group's limit refuses them";
    }
    if (base != MAP_FAILED) {
      Pages pages(static_cast<std::byte*>(base), bytes);
      pages.kind_ = KindOf(GivenBySmaps(pages.base_, bytes), bytes);
      if (hugepages == Hugepages::kTry || pages.kind_ == PageKind::kHugetlb) return pages;
    }
    if (hugepages == Hugepages::kRequire) {
      return std::unexpected("no hugepages for an arena of " + size + ": " + why +
                             "; reserve them with `sysctl -w vm.nr_hugepages=" +
                             std::to_string(bytes / kHugepageBytes) +
                             "` (2 MiB pages; in a container its hugepages-2Mi too), or set "
                             "memory.hugepages to \"try\"");
    }
  }
  std::byte* base = MapAligned(bytes);
  if (base == nullptr) {
    return std::unexpected("cannot map an arena of " + size + ": " + std::strerror(errno));
  }
  Pages pages(base, bytes);
  madvise(base, bytes, hugepages == Hugepages::kOff ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
  if (!Populate(base, bytes)) {
    return std::unexpected("cannot populate an arena of " + size + ": " + std::strerror(errno) +
                           "; make memory.size smaller or the memory limit larger");
  }
  pages.kind_ = KindOf(GivenBySmaps(base, bytes), bytes);
  return pages;
}

std::expected<Pages, std::string> Pages::Reserve(uint64_t bytes, Hugepages hugepages) {
  std::byte* base = MapAligned(bytes);
  if (base == nullptr) {
    return std::unexpected("cannot reserve " + std::to_string(bytes >> 20) +
                           " MiB for the cache: " + std::strerror(errno) +
                           "; make cache.size smaller");
  }
  madvise(base, bytes, hugepages == Hugepages::kOff ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
  return Pages(base, bytes);
}

void Pages::Discard(uint64_t offset, uint64_t bytes) {
  CHECK(madvise(base_ + offset, bytes, MADV_DONTNEED) == 0);
}

Pages::Pages(Pages&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)), bytes_(other.bytes_), kind_(other.kind_) {}

Pages::~Pages() {
  if (base_ != nullptr) munmap(base_, bytes_);
}

}  // namespace memory
