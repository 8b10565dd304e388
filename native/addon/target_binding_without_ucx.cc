#include "addon/target_binding.h"

#if !SEAWEED_HAS_UCX
namespace addon {

void RegisterTarget(Napi::Env env, Napi::Object exports) {
  const auto refuse = [](const Napi::CallbackInfo& info) {
    return Throw(info.Env(), "built without UCX");
  };
  Set(exports, "TargetHost", Napi::Function::New(env, refuse, "TargetHost"));
}

}  // namespace addon
#endif
