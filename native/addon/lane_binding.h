#pragma once

#include "addon/js.h"

namespace addon {

/// Exports the class Lanes.
void RegisterLanes(Napi::Env env, Napi::Object exports);

}  // namespace addon
