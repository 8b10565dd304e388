// The addon's entry: one per environment, without any state of its own.
#include "addon/cache_memory_binding.h"
#include "addon/client_binding.h"
#include "addon/js.h"
#include "addon/lane_binding.h"
#include "addon/shared_layout.h"
#include "addon/target_binding.h"
#include "addon/volume_binding.h"
#include "protocol/status.h"
#include "protocol/wire.h"
#if SEAWEED_HAS_UCX
#include <ucp/api/ucp.h>
#endif

namespace addon {
namespace {

Napi::Array StatusTable(Napi::Env env) {
  Napi::Array table = Napi::Array::New(env);
  uint32_t count = 0;
  for (const protocol::StatusRow& status : protocol::kStatusTable) {
    Napi::Array row = Napi::Array::New(env, 2);
    row.Set(0u, Napi::String::New(env, status.name.data(), status.name.size()));
    row.Set(1u, Napi::Number::New(env, static_cast<double>(status.status)));
    table.Set(count++, row);
  }
  return table;
}

Napi::Object Register(Napi::Env env, Napi::Object exports) {
  Set(exports, "protocolVersion", static_cast<double>(protocol::kVersionMax));
  Set(exports, "layoutVersion", static_cast<double>(kLayoutVersion));
  Set(exports, "statusTable", StatusTable(env));
#if SEAWEED_HAS_UCX
  Set(exports, "hasUcx", Napi::Boolean::New(env, true));
  Set(exports, "ucxVersion", std::string_view(ucp_get_version_string()));
#else
  Set(exports, "hasUcx", Napi::Boolean::New(env, false));
  Set(exports, "ucxVersion", std::string_view());
#endif
  RegisterClient(env, exports);
  RegisterCacheMemory(env, exports);
  RegisterTarget(env, exports);
  RegisterVolume(env, exports);
  RegisterLanes(env, exports);
  return exports;
}

}  // namespace
}  // namespace addon

static Napi::Object InitModule(Napi::Env env, Napi::Object exports) {
  return addon::Register(env, exports);
}

NODE_API_MODULE(seaweed_rdma, InitModule)
