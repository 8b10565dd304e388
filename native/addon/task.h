#pragma once

#include <napi.h>

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace addon {

/// Runs `work` on the thread pool and settles a promise with its result. Deletes itself afterwards.
template <typename Value>
class Task : public Napi::AsyncWorker {
 public:
  using Work = std::function<std::expected<Value, std::string>()>;
  using ToJs = Napi::Value (*)(Napi::Env, const Value&);

  static Napi::Value Start(Napi::Env env, const char* name, Work work, ToJs to_js) {
    Task* task = new Task(env, name, std::move(work), to_js);
    const Napi::Value promise = task->settle_.Promise();
    task->Queue();
    return promise;
  }

 private:
  Task(Napi::Env env, const char* name, Work work, ToJs to_js)
      : Napi::AsyncWorker(env, name), work_(std::move(work)), to_js_(to_js), settle_(env) {}

  void Execute() override {
    std::expected<Value, std::string> result = work_();
    if (result) {
      value_ = std::move(*result);
    } else {
      SetError(result.error());
    }
  }
  void OnOK() override { settle_.Resolve(to_js_(Env(), *value_)); }
  void OnError(const Napi::Error& error) override { settle_.Reject(error.Value()); }

  Work work_;
  ToJs to_js_;
  std::optional<Value> value_;
  Napi::Promise::Deferred settle_;
};

}  // namespace addon
