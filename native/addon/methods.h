#pragma once

#include <memory>

#include "addon/js.h"

// Objects whose methods share one owner. Not Napi::ObjectWrap: its methods unwrap `this`, which
// fails while a worker thread is being terminated, and node-addon-api then aborts the process. Here
// each function carries its owner itself.
namespace addon {

/// Called with an open scope. What it asks of JavaScript may fail at any moment; it leaves such
/// results out.
template <typename Owner>
using Method = napi_value (*)(Owner& owner, const Napi::CallbackInfo& info);

template <typename Owner, Method<Owner> method>
void DefineMethod(napi_env env, napi_value object, const char* name,
                  const std::shared_ptr<Owner>& owner) {
  const napi_callback call = [](napi_env call_env, napi_callback_info call_info) -> napi_value {
    const Napi::CallbackInfo info(call_env, call_info);
    return method(**static_cast<std::shared_ptr<Owner>*>(info.Data()), info);
  };
  const napi_finalize let_go = [](napi_env, void* data, void*) {
    delete static_cast<std::shared_ptr<Owner>*>(data);
  };
  auto held = std::make_unique<std::shared_ptr<Owner>>(owner);
  napi_value function = nullptr;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, call, held.get(), &function) != napi_ok)
    return;
  if (napi_add_finalizer(env, function, held.get(), let_go, nullptr, nullptr) != napi_ok) return;
  held.release();
  napi_set_named_property(env, object, name, function);
}

/// Exports what is called with `new`; `construct` fills the object that it gets as `this`.
void DefineClass(napi_env env, napi_value exports, const char* name, napi_callback construct);

/// Arguments, as numbers; 0 for what is none.
[[nodiscard]] double NumberAt(const Napi::CallbackInfo& info, size_t index);
[[nodiscard]] uint32_t Uint32At(const Napi::CallbackInfo& info, size_t index);

}  // namespace addon
