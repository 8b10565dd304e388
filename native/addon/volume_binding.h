#pragma once

#include "addon/js.h"

namespace addon {

/// Exports the class VolumeWriter and the functions inspectVolume, verifyVolume, listNeedles and
/// listVolumes; src/rdma/native-volume-types.ts has their types.
void RegisterVolume(Napi::Env env, Napi::Object exports);

}  // namespace addon
