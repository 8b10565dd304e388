#pragma once

#include <vector>

#include "addon/js.h"
#include "memory/arena.h"
#include "target/engine.h"

// What both roles exchange with JavaScript in the same form; src/rdma/native-types.ts has the
// types.
namespace addon {

[[nodiscard]] memory::ArenaOptions ReadArenaOptions(const Napi::Object& options);
[[nodiscard]] target::EngineOptions ReadEngineOptions(const Napi::Object& options);
/// Numbers out of range become the nearest that fits.
[[nodiscard]] std::vector<target::ServedVolume> ReadServedVolumes(const Napi::Value& rows);
/// The time on CLOCK_MONOTONIC that lies `ago` ns back.
[[nodiscard]] uint64_t AgoNs(const Napi::Value& ago);

void SetArenaStats(Napi::Object& object, const memory::ArenaStats& stats, memory::PageKind kind);
[[nodiscard]] Napi::Object EngineStatsObject(Napi::Env env, const target::EngineStats& stats);

/// Of client::VolumeInfo or target::VolumeInfo.
template <typename Volume>
[[nodiscard]] Napi::Array VolumesArray(Napi::Env env, const std::vector<Volume>& volumes) {
  Napi::Array array = Napi::Array::New(env, volumes.size());
  for (uint32_t i = 0; i < volumes.size(); ++i) {
    const Volume& volume = volumes[i];
    Napi::Object object = Napi::Object::New(env);
    Set(object, "volumeId", static_cast<double>(volume.volume_id));
    Set(object, "version", static_cast<double>(volume.version));
    Set(object, "confirmed", Napi::Boolean::New(env, volume.confirmed));
    Set(object, "collection", volume.collection);
    array.Set(i, object);
  }
  return array;
}

}  // namespace addon
