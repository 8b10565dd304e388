#include "addon/target_binding.h"

#if SEAWEED_HAS_UCX
#include <uv.h>

#include <memory>
#include <utility>

#include "addon/callback.h"
#include "addon/convert.h"
#include "target_ucx/target_server.h"

namespace addon {
namespace {

target_ucx::TargetServerOptions ReadOptions(const Napi::Object& options) {
  target_ucx::TargetServerOptions read;
  read.host = GetString(options, "host");
  read.port = static_cast<uint16_t>(GetUint32(options, "port"));
  read.secret = GetString(options, "secret");
  read.sessions_max = GetUint32(options, "sessionsMax");
  read.requests_per_session_max = GetUint32(options, "requestsPerSessionMax");
  read.session_timeout_ns = GetUint64(options, "sessionTimeoutNs");
  read.drain_timeout_ns = GetUint64(options, "drainTimeoutNs");
  read.spin_ns = GetUint64(options, "spinNs");
  read.device_name = GetString(options, "deviceName");
  read.tls = GetString(options, "tls");
  read.engine = ReadEngineOptions(options);
  read.arena = ReadArenaOptions(options);
  return read;
}

Napi::Object ReadsByStatus(Napi::Env env, const target_ucx::TargetServerStats& stats) {
  Napi::Object object = Napi::Object::New(env);
  for (const protocol::StatusRow& row : protocol::kStatusTable) {
    const auto number = static_cast<size_t>(row.status);
    if (number >= std::size(stats.reads_by_status) || stats.reads_by_status[number] == 0) continue;
    Set(object, row.name.data(), stats.reads_by_status[number]);
  }
  return object;
}

/// The server, and the way back from its progress thread to the event loop. Lives until the async
/// handle is closed, whatever happens to the object that JavaScript sees.
class HostedTarget {
 public:
  /// Null when the server cannot be had; `error` says why. Deletes itself after Destroy().
  static HostedTarget* Create(napi_env env, const target_ucx::TargetServerOptions& options,
                              std::string& error) {
    uv_loop_t* loop = nullptr;
    if (napi_get_uv_event_loop(env, &loop) != napi_ok) {
      error = "this thread has no event loop";
      return nullptr;
    }
    auto server = target_ucx::TargetServer::Create(options, error);
    if (server == nullptr) return nullptr;
    return new HostedTarget(env, loop, std::move(server));
  }

  target_ucx::TargetServer& server() { return *server_; }

  void Stop(Napi::Function stopped) {
    if (on_stopped_ != nullptr) return;
    on_stopped_ = std::make_unique<LoopCallback>(env_, stopped, "TargetHost.stop");
    // On the progress thread, as its last act: the handle is still open, because Destroy() joins
    // that thread first.
    server_->Stop([this] { uv_async_send(&async_); });
  }

  /// Joins the progress thread. The object is gone after this, at the latest when the handle is
  /// closed.
  void Destroy() {
    server_.reset();
    if (!is_tearing_) CallStopped();
    uv_close(reinterpret_cast<uv_handle_t*>(&async_),
             [](uv_handle_t* handle) { delete static_cast<HostedTarget*>(handle->data); });
  }

  /// Told when it is gone, so that nobody calls it after the environment's cleanup.
  void SetOwner(HostedTarget** owner) { owner_ = owner; }

 private:
  HostedTarget(napi_env env, uv_loop_t* loop, std::unique_ptr<target_ucx::TargetServer> server)
      : env_(env), server_(std::move(server)) {
    async_.data = this;
    uv_async_init(loop, &async_, [](uv_async_t* handle) {
      static_cast<HostedTarget*>(handle->data)->CallStopped();
    });
    napi_add_async_cleanup_hook(env, OnEnvironmentCleanup, this, &cleanup_);
  }

  ~HostedTarget() {
    on_stopped_.reset();
    if (cleanup_ != nullptr) napi_remove_async_cleanup_hook(cleanup_);
  }

  void CallStopped() {
    const std::unique_ptr<LoopCallback> on_stopped = std::move(on_stopped_);
    if (on_stopped == nullptr) return;
    const Scope scope(env_);
    on_stopped->Call({});
  }

  static void OnEnvironmentCleanup(napi_async_cleanup_hook_handle, void* data) {
    HostedTarget* self = static_cast<HostedTarget*>(data);
    self->is_tearing_ = true;
    if (self->server_ == nullptr) return;  // the handle is being closed already
    if (self->owner_ != nullptr) *self->owner_ = nullptr;
    self->Destroy();
  }

  napi_env env_;
  std::unique_ptr<target_ucx::TargetServer> server_;
  std::unique_ptr<LoopCallback> on_stopped_;
  napi_async_cleanup_hook_handle cleanup_ = nullptr;
  HostedTarget** owner_ = nullptr;
  uv_async_t async_{};
  bool is_tearing_ = false;
};

class TargetHost : public Napi::ObjectWrap<TargetHost> {
 public:
  explicit TargetHost(const Napi::CallbackInfo& info) : Napi::ObjectWrap<TargetHost>(info) {
    if (!info[0].IsObject()) {
      Throw(info.Env(), "TargetHost needs options");
      return;
    }
    std::string error;
    hosted_ = HostedTarget::Create(info.Env(), ReadOptions(info[0].As<Napi::Object>()), error);
    if (hosted_ == nullptr) {
      Throw(info.Env(), error);
      return;
    }
    hosted_->SetOwner(&hosted_);
    Napi::Object self = info.This().As<Napi::Object>();
    Set(self, "port", static_cast<double>(hosted_->server().port()));
  }

  ~TargetHost() override { DestroyHosted(); }

  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "TargetHost",
                       {
                           InstanceMethod<&TargetHost::Confirm>("confirm"),
                           InstanceMethod<&TargetHost::Stats>("stats"),
                           InstanceMethod<&TargetHost::Volumes>("volumes"),
                           InstanceMethod<&TargetHost::Stop>("stop"),
                           InstanceMethod<&TargetHost::Destroy>("destroy"),
                       });
  }

 private:
  void Confirm(const Napi::CallbackInfo& info) {
    if (hosted_ != nullptr) hosted_->server().Confirm(AgoNs(info[0]), ReadServedVolumes(info[1]));
  }

  Napi::Value Stats(const Napi::CallbackInfo& info) {
    if (hosted_ == nullptr) return Throw(info.Env(), "the target is stopped");
    const target_ucx::TargetServerStats stats = hosted_->server().stats();
    Napi::Object object = Napi::Object::New(info.Env());
    Set(object, "sessionsActive", static_cast<double>(stats.sessions_active));
    Set(object, "sessionsPending", static_cast<double>(stats.sessions_pending));
    Set(object, "sessionsTotal", stats.sessions_total);
    Set(object, "sessionsRefused", stats.sessions_refused);
    Set(object, "sessionsLost", stats.sessions_lost);
    Set(object, "bytesSent", stats.bytes_sent);
    Set(object, "bytesReceived", stats.bytes_received);
    Set(object, "readsByStatus", ReadsByStatus(info.Env(), stats));
    Set(object, "validations", stats.validations);
    Set(object, "requestsInFlight", static_cast<double>(stats.requests_in_flight));
    SetArenaStats(object, stats.arena, hosted_->server().page_kind());
    Set(object, "engine", EngineStatsObject(info.Env(), stats.engine));
    return object;
  }

  Napi::Value Volumes(const Napi::CallbackInfo& info) {
    if (hosted_ == nullptr) return Napi::Array::New(info.Env());
    return {info.Env(), VolumesArray(info.Env(), hosted_->server().volumes())};
  }

  void Stop(const Napi::CallbackInfo& info) {
    if (hosted_ == nullptr) {
      Throw(info.Env(), "the target is stopped");
      return;
    }
    if (info[0].IsFunction()) hosted_->Stop(info[0].As<Napi::Function>());
  }

  void Destroy(const Napi::CallbackInfo&) { DestroyHosted(); }

  void DestroyHosted() {
    HostedTarget* hosted = std::exchange(hosted_, nullptr);
    if (hosted == nullptr) return;
    hosted->SetOwner(nullptr);
    hosted->Destroy();
  }

  HostedTarget* hosted_ = nullptr;
};

}  // namespace

void RegisterTarget(Napi::Env env, Napi::Object exports) {
  Set(exports, "TargetHost", TargetHost::Define(env));
}

}  // namespace addon
#endif
