#include "lane/pipe.h"

#include <fcntl.h>
#include <unistd.h>

namespace lane {
namespace {

/// The most that a process without privileges may have, by default.
constexpr int kBytes = 1 << 20;

}  // namespace

std::unique_ptr<Pipe> Pipe::Create() {
  int ends[2];
  if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return nullptr;
  auto made = std::make_unique<Pipe>();
  made->read_end = storage::UniqueFd(ends[0]);
  made->write_end = storage::UniqueFd(ends[1]);
  // A user with many pipes gets shorter ones: more calls, no fault.
  fcntl(ends[1], F_SETPIPE_SZ, kBytes);
  return made;
}

}  // namespace lane
