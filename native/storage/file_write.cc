#include "storage/file_write.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace storage {
namespace {

FileResult<UniqueFd> Open(const std::string& path, int flags) {
  constexpr mode_t kMode = 0644;
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CLOEXEC | flags, kMode));
  if (!fd) return std::unexpected(ErrnoText(path));
  return fd;
}

}  // namespace

std::string ErrnoText(const std::string& path) { return path + ": " + std::strerror(errno); }

FileResult<UniqueFd> OpenToWrite(const std::string& path) { return Open(path, 0); }

FileResult<UniqueFd> CreateNew(const std::string& path) { return Open(path, O_CREAT | O_EXCL); }

FileResult<UniqueFd> CreateOrEmpty(const std::string& path) {
  return Open(path, O_CREAT | O_TRUNC);
}

FileResult<void> WriteAt(int fd, std::span<const std::byte> bytes, uint64_t offset,
                         const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t count = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::unexpected(ErrnoText(path));
    bytes = bytes.subspan(static_cast<size_t>(count));
    offset += static_cast<uint64_t>(count);
  }
  return {};
}

FileResult<uint64_t> FileBytes(int fd, const std::string& path) {
  struct stat file{};
  if (fstat(fd, &file) != 0) return std::unexpected(ErrnoText(path));
  return static_cast<uint64_t>(file.st_size);
}

FileResult<void> Sync(int fd, const std::string& path) {
  if (fsync(fd) != 0) return std::unexpected(ErrnoText(path));
  return {};
}

FileResult<void> SyncDirectoryOf(const std::string& path) {
  const std::string dir = path.substr(0, path.rfind('/') + 1);
  const UniqueFd fd(open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return std::unexpected(ErrnoText(dir));
  return Sync(fd.get(), dir);
}

FileResult<void> Rename(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) return std::unexpected(ErrnoText(from));
  return {};
}

}  // namespace storage
