#include "addon/target_binding.h"

#if SEAWEED_HAS_UCX
#include <uv.h>

#include <atomic>
#include <memory>
#include <utility>

#include "addon/callback.h"
#include "addon/convert.h"
#include "addon/methods.h"
#include "server/target_server.h"

namespace addon {
namespace {

server::TargetServerOptions ReadOptions(const Napi::Object& options) {
  server::TargetServerOptions read;
  read.host = GetString(options, "host");
  read.port = static_cast<uint16_t>(GetUint32(options, "port"));
  read.secrets = ReadSecrets(Get(options, "secrets"));
  read.sessions_max = GetUint32(options, "sessionsMax");
  read.requests_per_session_max = GetUint32(options, "requestsPerSessionMax");
  read.requests_max = GetUint32(options, "requestsMax");
  read.handshake_timeout_ns = GetUint64(options, "handshakeTimeoutNs");
  read.pending_per_address_max = GetUint32(options, "pendingPerAddressMax");
  read.session_timeout_ns = GetUint64(options, "sessionTimeoutNs");
  read.drain_timeout_ns = GetUint64(options, "drainTimeoutNs");
  read.spin_ns = GetUint64(options, "spinNs");
  read.device_name = GetString(options, "deviceName");
  read.keeps_device = GetBool(options, "keepsDevice");
  read.tls = GetString(options, "tls");
  read.is_ucx = GetBool(options, "isUcx");
  read.is_guarded = GetBool(options, "isGuarded");
  read.engine = ReadEngineOptions(options);
  read.engine.requests_max = read.requests_max;
  read.engine.memory_wait_ns = GetUint64(options, "memoryWaitNs");
  read.arena = ReadArenaOptions(options);
  return read;
}

napi_value ReadsByStatus(napi_env env, const server::TargetServerStats& stats) {
  Record record(env);
  for (const protocol::StatusRow& row : protocol::kStatusTable) {
    const auto number = static_cast<size_t>(row.status);
    if (number >= std::size(stats.reads_by_status) || stats.reads_by_status[number] == 0) continue;
    // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): the names are literals.
    record.Put(row.name.data(), static_cast<double>(stats.reads_by_status[number]));
  }
  return record.value();
}

/// The server, and the way back from its progress thread to the event loop. Lives until the async
/// handle is closed, whatever happens to the object that JavaScript sees.
class HostedTarget {
 public:
  /// Null when the server cannot be had; `error` says why. Deletes itself after Destroy().
  static HostedTarget* Create(napi_env env, const server::TargetServerOptions& options,
                              std::string& error) {
    uv_loop_t* loop = nullptr;
    if (napi_get_uv_event_loop(env, &loop) != napi_ok) {
      error = "this thread has no event loop";
      return nullptr;
    }
    auto server = server::TargetServer::Create(options, error);
    if (server == nullptr) return nullptr;
    return new HostedTarget(env, loop, std::move(server));
  }

  server::TargetServer& server() { return *server_; }

  void Stop(Napi::Function stopped) {
    if (on_stopped_ != nullptr) return;
    on_stopped_ = std::make_unique<LoopCallback>(env_, stopped, "TargetHost.stop");
    // On the progress thread, as its last act: the handle is still open, because Destroy() joins
    // that thread first.
    server_->Stop([this] { Tell(is_stopped_); });
  }

  void OnPollWanted(Napi::Function wanted) {
    on_poll_wanted_ = std::make_unique<LoopCallback>(env_, wanted, "TargetHost.onPollWanted");
    server_->OnPollWanted([this] { Tell(is_poll_wanted_); });
  }

  /// Joins the progress thread. The object is gone after this, at the latest when the handle is
  /// closed.
  void Destroy() {
    server_.reset();
    if (!is_tearing_) CallStopped();
    uv_close(reinterpret_cast<uv_handle_t*>(&async_),
             [](uv_handle_t* handle) { delete static_cast<HostedTarget*>(handle->data); });
  }

  /// Set to null when the target is gone, so that no code calls it after the environment's cleanup.
  void SetOwner(HostedTarget** owner) { owner_ = owner; }

 private:
  HostedTarget(napi_env env, uv_loop_t* loop, std::unique_ptr<server::TargetServer> server)
      : env_(env), server_(std::move(server)) {
    async_.data = this;
    uv_async_init(loop, &async_,
                  [](uv_async_t* handle) { static_cast<HostedTarget*>(handle->data)->OnTold(); });
    napi_add_async_cleanup_hook(env, OnEnvironmentCleanup, this, &cleanup_);
  }

  ~HostedTarget() {
    on_stopped_.reset();
    on_poll_wanted_.reset();
    if (cleanup_ != nullptr) napi_remove_async_cleanup_hook(cleanup_);
  }

  /// On the progress thread.
  void Tell(std::atomic<bool>& what) {
    what.store(true);
    uv_async_send(&async_);
  }

  void OnTold() {
    if (is_poll_wanted_.exchange(false) && on_poll_wanted_ != nullptr) {
      const Scope scope(env_);
      on_poll_wanted_->Call({});
    }
    if (is_stopped_.exchange(false)) CallStopped();
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
  std::unique_ptr<server::TargetServer> server_;
  std::unique_ptr<LoopCallback> on_stopped_;
  std::unique_ptr<LoopCallback> on_poll_wanted_;
  std::atomic<bool> is_stopped_ = false;
  std::atomic<bool> is_poll_wanted_ = false;
  napi_async_cleanup_hook_handle cleanup_ = nullptr;
  HostedTarget** owner_ = nullptr;
  uv_async_t async_{};
  bool is_tearing_ = false;
};

/// The pointer behind the JavaScript object; null once the target is destroyed.
struct Handle {
  HostedTarget* hosted = nullptr;

  ~Handle() { Destroy(); }

  void Destroy() {
    HostedTarget* const old = std::exchange(hosted, nullptr);
    if (old == nullptr) return;
    old->SetOwner(nullptr);
    old->Destroy();
  }
};

napi_value Confirm(Handle& handle, const Napi::CallbackInfo& info) {
  if (handle.hosted == nullptr) return nullptr;
  handle.hosted->server().Confirm(AgoNs(NumberAt(info, 0)), ReadServedVolumes(info[1]));
  return nullptr;
}

napi_value OnPollWanted(Handle& handle, const Napi::CallbackInfo& info) {
  if (handle.hosted != nullptr && info[0].IsFunction())
    handle.hosted->OnPollWanted(info[0].As<Napi::Function>());
  return nullptr;
}

napi_value Stats(Handle& handle, const Napi::CallbackInfo& info) {
  if (handle.hosted == nullptr) return Throw(info.Env(), "the target is stopped");
  const server::TargetServerStats stats = handle.hosted->server().stats();
  Record record(info.Env());
  record.Put("sessionsActive", static_cast<double>(stats.sessions_active));
  record.Put("sessionsPending", static_cast<double>(stats.sessions_pending));
  record.Put("sessionsTotal", static_cast<double>(stats.sessions_total));
  record.Put("sessionsRefused", static_cast<double>(stats.sessions_refused));
  record.Put("sessionsLost", static_cast<double>(stats.sessions_lost));
  record.Put("bytesSent", static_cast<double>(stats.bytes_sent));
  record.Put("bytesReceived", static_cast<double>(stats.bytes_received));
  record.Put("readsByStatus", ReadsByStatus(info.Env(), stats));
  record.Put("validations", static_cast<double>(stats.validations));
  record.Put("volumeLeases", static_cast<double>(stats.volume_leases));
  record.Put("changesPushed", static_cast<double>(stats.changes_pushed));
  record.Put("requestsInFlight", static_cast<double>(stats.requests_in_flight));
  PutArenaStats(record, stats.arena, handle.hosted->server().page_kind());
  record.Put("engine", EngineStatsValue(info.Env(), stats.engine));
  return record.value();
}

napi_value AdmitPeers(Handle& handle, const Napi::CallbackInfo& info) {
  if (handle.hosted == nullptr) return Throw(info.Env(), "the target is stopped");
  std::string error;
  if (handle.hosted->server().AdmitPeers(ReadHosts(info[0]), error)) return nullptr;
  return Throw(info.Env(), error);
}

napi_value SetSecrets(Handle& handle, const Napi::CallbackInfo& info) {
  if (handle.hosted == nullptr) return Throw(info.Env(), "the target is stopped");
  handle.hosted->server().SetSecrets(ReadSecrets(info[0]));
  return nullptr;
}

/// Takes a copy of the descriptor: the caller closes its own.
napi_value Adopt(Handle& handle, const Napi::CallbackInfo& info) {
  if (handle.hosted == nullptr) return Throw(info.Env(), "the target is stopped");
  const auto security = ReadSecurity(info[1], true);
  const int fd = security ? CopyOfDescriptor(info[0]) : -1;
  if (fd < 0) return Throw(info.Env(), "not a descriptor that can be copied, or not a key");
  handle.hosted->server().Adopt(fd, *security);
  return nullptr;
}

napi_value LookAtConnections(Handle& handle, const Napi::CallbackInfo& info) {
  if (handle.hosted == nullptr) return Throw(info.Env(), "the target is stopped");
  return ConnectionCountsValue(info.Env(), handle.hosted->server().LookAtConnections());
}

const char* NameOf(server::SessionEvent::Kind kind) {
  using Kind = server::SessionEvent::Kind;
  switch (kind) {
    case Kind::kWelcomed:
      return "welcomed";
    case Kind::kRefused:
      return "refused";
    case Kind::kEnded:
      return "ended";
    case Kind::kLost:
      return "lost";
  }
  return "";
}

napi_value TakeSessionEvents(Handle& handle, const Napi::CallbackInfo& info) {
  napi_value array = nullptr;
  napi_create_array(info.Env(), &array);
  if (handle.hosted == nullptr) return array;
  uint32_t at = 0;
  for (const server::SessionEvent& event : handle.hosted->server().TakeSessionEvents()) {
    Record record(info.Env());
    record.Put("kind", std::string_view(NameOf(event.kind)));
    record.PutBigInt("sessionId", event.session_id);
    record.Put("status", static_cast<double>(event.status));
    napi_set_element(info.Env(), array, at++, record.value());
  }
  return array;
}

napi_value Volumes(Handle& handle, const Napi::CallbackInfo& info) {
  const auto volumes = handle.hosted == nullptr ? std::vector<engine::AnnouncedVolume>()
                                                : handle.hosted->server().volumes();
  return VolumesArray(info.Env(), volumes);
}

napi_value Stop(Handle& handle, const Napi::CallbackInfo& info) {
  if (handle.hosted == nullptr) return Throw(info.Env(), "the target is stopped");
  if (info[0].IsFunction()) handle.hosted->Stop(info[0].As<Napi::Function>());
  return nullptr;
}

napi_value Destroy(Handle& handle, const Napi::CallbackInfo&) {
  handle.Destroy();
  return nullptr;
}

/// new TargetHost(options)
napi_value Construct(napi_env env, napi_callback_info raw_info) {
  const Napi::CallbackInfo info(env, raw_info);
  if (!info[0].IsObject()) return Throw(env, "TargetHost needs options");
  std::string error;
  const auto handle = std::make_shared<Handle>();
  handle->hosted = HostedTarget::Create(env, ReadOptions(info[0].As<Napi::Object>()), error);
  if (handle->hosted == nullptr) return Throw(env, error);
  handle->hosted->SetOwner(&handle->hosted);
  Napi::Object self = info.This().As<Napi::Object>();
  const server::TargetServer& server = handle->hosted->server();
  Set(self, "port", static_cast<double>(server.port()));
  Set(self, "guardFault", server.guard_fault());
  DefineMethod<Handle, AdmitPeers>(env, self, "admitPeers", handle);
  DefineMethod<Handle, SetSecrets>(env, self, "setSecrets", handle);
  DefineMethod<Handle, Adopt>(env, self, "adopt", handle);
  DefineMethod<Handle, Confirm>(env, self, "confirm", handle);
  DefineMethod<Handle, OnPollWanted>(env, self, "onPollWanted", handle);
  DefineMethod<Handle, Stats>(env, self, "stats", handle);
  DefineMethod<Handle, LookAtConnections>(env, self, "lookAtConnections", handle);
  DefineMethod<Handle, TakeSessionEvents>(env, self, "takeSessionEvents", handle);
  DefineMethod<Handle, Volumes>(env, self, "volumes", handle);
  DefineMethod<Handle, Stop>(env, self, "stop", handle);
  DefineMethod<Handle, Destroy>(env, self, "destroy", handle);
  return nullptr;
}

}  // namespace

void RegisterTarget(Napi::Env env, Napi::Object exports) {
  DefineClass(env, exports, "TargetHost", Construct);
}

}  // namespace addon
#endif
