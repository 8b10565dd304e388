#include "addon/methods.h"
#include "addon/target_binding.h"

#if !SEAWEED_HAS_UCX
namespace addon {

void RegisterTarget(Napi::Env env, Napi::Object exports) {
  DefineClass(env, exports, "TargetHost", [](napi_env call_env, napi_callback_info) -> napi_value {
    return Throw(call_env, "built without UCX");
  });
}

}  // namespace addon
#endif
