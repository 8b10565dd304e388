#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

// Positioned reads that say why they stopped.
namespace storage {

enum class ReadOutcome {
  kDone,
  kWouldBlock,  // not in the page cache, or past the end of the file
  kCannotTell,  // this file system does not say what is cached
  kEnd,         // the file ends before
  kFailed,
};

enum class Blocking { kNo, kYes };

/// Fills `bytes` from `offset`. With Blocking::kNo only from the page cache: a part that is there
/// is not told apart from none.
[[nodiscard]] ReadOutcome ReadAt(int fd, std::span<std::byte> bytes, uint64_t offset,
                                 Blocking blocking);

}  // namespace storage
