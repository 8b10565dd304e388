#pragma once

#include <memory>

#include "addon/js.h"
#include "addon/lease_table.h"
#include "memory/arena.h"

namespace addon {

/// An arena and the leases that JavaScript holds in it. Shared by who allocates there and by the
/// ArrayBuffer over the arena: no byte is unmapped while a view of it can be reached.
struct ArenaHolder {
  std::unique_ptr<memory::Arena> arena;
  LeaseTable leases;  // after the arena: they go home first
};

/// All of the arena, which it keeps.
[[nodiscard]] Napi::ArrayBuffer ArenaBuffer(Napi::Env env, std::shared_ptr<ArenaHolder> holder);

}  // namespace addon
