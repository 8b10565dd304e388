#pragma once

#include <span>

#include "addon/js.h"

namespace addon {

/// Opens a handle scope for the callbacks of libuv, which have none.
class Scope {
 public:
  explicit Scope(napi_env env) : env_(env) { napi_open_handle_scope(env, &scope_); }
  ~Scope() {
    if (scope_ != nullptr) napi_close_handle_scope(env_, scope_);
  }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  napi_env env_;
  napi_handle_scope scope_ = nullptr;
};

/// A JavaScript function that is called from the event loop. In the C API: node-addon-api's
/// MakeCallback loses what the function throws in one form and aborts a terminating environment in
/// the other.
class LoopCallback {
 public:
  LoopCallback(napi_env env, napi_value function, const char* name);
  ~LoopCallback();
  LoopCallback(const LoopCallback&) = delete;
  LoopCallback& operator=(const LoopCallback&) = delete;

  /// Needs an open scope. What the function throws becomes an 'uncaughtException'; a terminating
  /// environment ignores the call.
  void Call(std::span<const napi_value> arguments);

 private:
  napi_env env_;
  napi_ref function_ = nullptr;
  napi_async_context context_ = nullptr;
};

}  // namespace addon
