#include "storage/file_read.h"

#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

namespace storage {
namespace {

ReadOutcome ReadCached(int fd, std::span<std::byte> bytes, uint64_t offset) {
  uint64_t done = 0;
  while (done < bytes.size()) {
    const iovec part{bytes.data() + done, bytes.size() - done};
    const ssize_t count = preadv2(fd, &part, 1, static_cast<off_t>(offset + done), RWF_NOWAIT);
    if (count < 0 && errno == EOPNOTSUPP) return ReadOutcome::kCannotTell;
    // Short at the end of what is cached or of the file: the blocking read will tell which.
    if (count <= 0) return ReadOutcome::kWouldBlock;
    done += static_cast<uint64_t>(count);
  }
  return ReadOutcome::kDone;
}

}  // namespace

ReadOutcome ReadAt(int fd, std::span<std::byte> bytes, uint64_t offset, Blocking blocking) {
  if (blocking == Blocking::kNo) return ReadCached(fd, bytes, offset);
  uint64_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count =
        pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (count == 0) return ReadOutcome::kEnd;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ReadOutcome::kFailed;
    done += static_cast<uint64_t>(count);
  }
  return ReadOutcome::kDone;
}

}  // namespace storage
