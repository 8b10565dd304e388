#include "addon/cache_memory_binding.h"

#include <memory>
#include <string>
#include <utility>

#include "addon/arena_holder.h"
#include "addon/convert.h"
#include "addon/methods.h"

namespace addon {
namespace {

/// take(bytes): a handle, and where the bytes begin; undefined: there is no room.
napi_value Take(ArenaHolder& holder, const Napi::CallbackInfo& info) {
  memory::Lease lease = holder.arena->Allocate(ToUint64(NumberAt(info, 0)));
  if (!lease) return info.Env().Undefined();
  const double offset = static_cast<double>(lease.offset());
  const uint32_t handle = holder.leases.Put(std::move(lease));
  if (handle == 0) return info.Env().Undefined();
  Record record(info.Env());
  record.Put("handle", static_cast<double>(handle));
  record.Put("offset", offset);
  return record.value();
}

napi_value Release(ArenaHolder& holder, const Napi::CallbackInfo& info) {
  holder.leases.Release(Uint32At(info, 0));
  return nullptr;
}

napi_value Stats(ArenaHolder& holder, const Napi::CallbackInfo& info) {
  Record record(info.Env());
  PutArenaStats(record, holder.arena->stats(), holder.arena->page_kind());
  return record.value();
}

/// new CacheMemory({arenaBytes, hugepages})
napi_value Construct(napi_env env, napi_callback_info raw_info) {
  const Napi::CallbackInfo info(env, raw_info);
  if (!info[0].IsObject()) return Throw(env, "CacheMemory needs options");
  memory::ArenaOptions options = ReadArenaOptions(info[0].As<Napi::Object>());
  options.is_ordinary = true;
  std::string error;
  const auto holder = std::make_shared<ArenaHolder>();
  holder->arena = memory::Arena::Create(options, error);
  if (holder->arena == nullptr) return Throw(env, error);
  Napi::Object self = info.This().As<Napi::Object>();
  Set(self, "memory", ArenaBuffer(env, holder));
  DefineMethod<ArenaHolder, Take>(env, self, "take", holder);
  DefineMethod<ArenaHolder, Release>(env, self, "release", holder);
  DefineMethod<ArenaHolder, Stats>(env, self, "stats", holder);
  return nullptr;
}

}  // namespace

void RegisterCacheMemory(Napi::Env env, Napi::Object exports) {
  DefineClass(env, exports, "CacheMemory", Construct);
}

}  // namespace addon
