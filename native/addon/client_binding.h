#pragma once

#include "addon/js.h"

namespace addon {

/// Exports the class RdmaClient; src/rdma/native-types.ts has its type.
void RegisterClient(Napi::Env env, Napi::Object exports);

}  // namespace addon
