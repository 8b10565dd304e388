#pragma once

#include "addon/js.h"

namespace addon {

/// Exports the class CacheMemory.
void RegisterCacheMemory(Napi::Env env, Napi::Object exports);

}  // namespace addon
