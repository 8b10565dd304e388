#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>

#include "storage/unique_fd.h"

// Files as the tools handle them: whatever fails says which path and why, in words for a person.
namespace storage {

template <typename Value>
using FileResult = std::expected<Value, std::string>;

/// "<path>: <text of errno>".
[[nodiscard]] std::string ErrnoText(const std::string& path);

/// Both ways, of a file that exists.
[[nodiscard]] FileResult<UniqueFd> OpenToWrite(const std::string& path);
/// Creates a file, which must not exist yet.
[[nodiscard]] FileResult<UniqueFd> CreateNew(const std::string& path);
/// Empties a file that exists.
[[nodiscard]] FileResult<UniqueFd> CreateOrEmpty(const std::string& path);

/// One pwrite, repeated only for what it left.
[[nodiscard]] FileResult<void> WriteAt(int fd, std::span<const std::byte> bytes, uint64_t offset,
                                       const std::string& path);
[[nodiscard]] FileResult<uint64_t> FileBytes(int fd, const std::string& path);
[[nodiscard]] FileResult<void> Sync(int fd, const std::string& path);
/// Makes renames in the path's directory last.
[[nodiscard]] FileResult<void> SyncDirectoryOf(const std::string& path);
[[nodiscard]] FileResult<void> Rename(const std::string& from, const std::string& to);

}  // namespace storage
