#pragma once

#include <memory>

#include "storage/unique_fd.h"

namespace lane {

/// Carries pages from memory to a socket by reference: vmsplice fills it, splice empties it.
struct Pipe {
  storage::UniqueFd read_end;
  storage::UniqueFd write_end;

  /// Null where the process may not have another one.
  [[nodiscard]] static std::unique_ptr<Pipe> Create();
};

}  // namespace lane
