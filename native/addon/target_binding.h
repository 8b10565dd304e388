#pragma once

#include "addon/js.h"

namespace addon {

/// Exports the class TargetHost; src/rdma/native-types.ts has its type. Built without UCX, its
/// constructor throws.
void RegisterTarget(Napi::Env env, Napi::Object exports);

}  // namespace addon
