#include "addon/callback.h"

namespace addon {

LoopCallback::LoopCallback(napi_env env, napi_value function, const char* name) : env_(env) {
  napi_create_reference(env, function, 1, &function_);
  napi_value resource_name = nullptr;
  napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &resource_name);
  napi_async_init(env, nullptr, resource_name, &context_);
}

LoopCallback::~LoopCallback() {
  if (context_ != nullptr) napi_async_destroy(env_, context_);
  if (function_ != nullptr) napi_delete_reference(env_, function_);
}

void LoopCallback::Call(std::span<const napi_value> arguments) {
  napi_value function = nullptr;
  napi_value receiver = nullptr;
  if (napi_get_reference_value(env_, function_, &function) != napi_ok || function == nullptr)
    return;
  if (napi_get_global(env_, &receiver) != napi_ok) return;
  const napi_status status = napi_make_callback(env_, context_, receiver, function,
                                                arguments.size(), arguments.data(), nullptr);
  if (status != napi_pending_exception) return;
  bool is_pending = false;
  napi_value error = nullptr;
  if (napi_is_exception_pending(env_, &is_pending) != napi_ok || !is_pending) return;
  if (napi_get_and_clear_last_exception(env_, &error) == napi_ok) napi_fatal_exception(env_, error);
}

}  // namespace addon
