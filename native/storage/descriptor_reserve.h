#pragma once

#include <cstdint>

// Descriptors that volumes leave to the rest of the process: sessions, the admin listener,
// directories that are listed. Without them a target with more volumes than descriptors could not
// be reached.
namespace storage {

/// The kernel gives the lowest free number, so a number this high says that all below are taken.
/// `limit` is the soft RLIMIT_NOFILE.
[[nodiscard]] bool IsOfReserve(int fd, uint64_t limit);

/// RLIMIT_NOFILE as it is now.
[[nodiscard]] uint64_t DescriptorLimit();

}  // namespace storage
