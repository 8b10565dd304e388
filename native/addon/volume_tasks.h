#pragma once

#include "addon/js.h"

// Reading volumes for a person: on libuv's thread pool, each as a promise that rejects with what is
// wrong.
namespace addon {

/// (volume) → report; `volume` is {dir, idxDir, collection, volumeId} everywhere.
Napi::Value InspectVolume(const Napi::CallbackInfo& info);
/// (volume, onProgress or undefined) → report; onProgress(needlesDone, needlesTotal, bytesDone).
Napi::Value VerifyVolume(const Napi::CallbackInfo& info);
/// (volume, countMax) → rows.
Napi::Value ListNeedles(const Napi::CallbackInfo& info);
/// ({dirs, idxDirs}) → rows.
Napi::Value ListVolumes(const Napi::CallbackInfo& info);

}  // namespace addon
