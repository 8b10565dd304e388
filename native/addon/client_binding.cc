#include "addon/client_binding.h"

#include <cstring>
#include <utility>

#include "addon/convert.h"
#include "addon/fetch_client.h"

namespace addon {
namespace {

double NumberAt(const Napi::CallbackInfo& info, size_t index) {
  return info[index].IsNumber() ? info[index].As<Napi::Number>().DoubleValue() : 0;
}

uint32_t Uint32At(const Napi::CallbackInfo& info, size_t index) {
  const uint64_t number = ToUint64(NumberAt(info, index));
  return number > UINT32_MAX ? UINT32_MAX : static_cast<uint32_t>(number);
}

FetchClientOptions ReadOptions(const Napi::Object& options) {
  FetchClientOptions read;
  read.is_ucx = GetString(options, "kind") == "ucx";
  read.requests_max = GetUint32(options, "requestsMax");
  read.spin_ns = GetUint64(options, "spinNs");
  read.arena = ReadArenaOptions(options);
  read.device_name = GetString(options, "deviceName");
  read.tls = GetString(options, "tls");
  read.engine = ReadEngineOptions(options);
  read.engine.requests_max = read.requests_max;
  read.simulated_latency_ns = GetUint64(options, "simulatedLatencyNs");
  return read;
}

/// The object that JavaScript sees; everything that must outlive it is in FetchClient.
class RdmaClient : public Napi::ObjectWrap<RdmaClient> {
 public:
  explicit RdmaClient(const Napi::CallbackInfo& info) : Napi::ObjectWrap<RdmaClient>(info) {
    const Napi::Env env = info.Env();
    if (!info[0].IsObject() || !info[1].IsFunction()) {
      Throw(env, "RdmaClient needs options and a callback");
      return;
    }
    const FetchClientOptions options = ReadOptions(info[0].As<Napi::Object>());
    std::string error;
    client_ = FetchClient::Create(env, options, info[1].As<Napi::Function>(), error);
    if (client_ == nullptr) {
      Throw(env, error);
      return;
    }
    ShareMemory(info.This().As<Napi::Object>());
  }

  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "RdmaClient",
                       {
                           InstanceMethod<&RdmaClient::AddTarget>("addTarget"),
                           InstanceMethod<&RdmaClient::Connect>("connect"),
                           InstanceMethod<&RdmaClient::Disconnect>("disconnect"),
                           InstanceMethod<&RdmaClient::PostRead>("postRead"),
                           InstanceMethod<&RdmaClient::PostValidate>("postValidate"),
                           InstanceMethod<&RdmaClient::PostPing>("postPing"),
                           InstanceMethod<&RdmaClient::Release>("release"),
                           InstanceMethod<&RdmaClient::Stats>("stats"),
                           InstanceMethod<&RdmaClient::Confirm>("confirm"),
                           InstanceMethod<&RdmaClient::EngineStats>("engineStats"),
                           InstanceMethod<&RdmaClient::Close>("close"),
                       });
  }

 private:
  void ShareMemory(Napi::Object self) {
    const Napi::Env env = self.Env();
    Napi::ArrayBuffer ring = Napi::ArrayBuffer::New(env, kRingEntries * sizeof(Entry));
    Napi::ArrayBuffer command = Napi::ArrayBuffer::New(env, sizeof(Command));
    ring_ = Napi::Persistent(ring);
    command_ = Napi::Persistent(command);
    std::memset(command.Data(), 0, command.ByteLength());
    client_->Share(static_cast<Entry*>(ring.Data()), static_cast<Command*>(command.Data()));

    const std::span<std::byte> span = client_->holder()->arena->span();
    const auto let_go = [](Napi::BasicEnv, void*, std::shared_ptr<ArenaHolder>* held) {
      delete held;
    };
    const Napi::ArrayBuffer arena =
        Napi::ArrayBuffer::New(env, static_cast<void*>(span.data()), span.size(), let_go,
                               new std::shared_ptr<ArenaHolder>(client_->holder()));
    Set(self, "ring", ring);
    Set(self, "command", command);
    Set(self, "arena", arena);
  }

  bool MustBeOpen(Napi::Env env) {
    if (client_ != nullptr && client_->IsOpen()) return true;
    Throw(env, "the client is closed");
    return false;
  }

  bool MayPost(const Napi::CallbackInfo& info) {
    if (client_ != nullptr && client_->MayPost(Uint32At(info, 1))) return true;
    Throw(info.Env(), "the client is closed, or the ticket is not free");
    return false;
  }

  Napi::Value AddTarget(const Napi::CallbackInfo& info) {
    if (!MustBeOpen(info.Env())) return info.Env().Undefined();
    const uint32_t port = Uint32At(info, 1);
    if (!info[0].IsString() || !info[2].IsString() || port > UINT16_MAX)
      return Throw(info.Env(), "not an address");
    const client::TargetId target = client_->AddTarget({
        .host = info[0].As<Napi::String>().Utf8Value(),
        .port = static_cast<uint16_t>(port),
        .secret = info[2].As<Napi::String>().Utf8Value(),
        .connect_timeout_ns = ToUint64(NumberAt(info, 3)),
    });
    target_count_ = target >= target_count_ ? target + 1 : target_count_;
    return Napi::Number::New(info.Env(), target);
  }

  bool HasTarget(const Napi::CallbackInfo& info) {
    if (Uint32At(info, 0) < target_count_) return true;
    Throw(info.Env(), "no such target");
    return false;
  }

  void Connect(const Napi::CallbackInfo& info) {
    if (MustBeOpen(info.Env()) && HasTarget(info)) client_->Connect(Uint32At(info, 0));
  }

  void Disconnect(const Napi::CallbackInfo& info) {
    if (MustBeOpen(info.Env()) && HasTarget(info)) client_->Disconnect(Uint32At(info, 0));
  }

  void PostRead(const Napi::CallbackInfo& info) {
    if (HasTarget(info) && MayPost(info)) client_->PostRead(Uint32At(info, 0), Uint32At(info, 1));
  }

  void PostValidate(const Napi::CallbackInfo& info) {
    if (!HasTarget(info) || !MayPost(info)) return;
    client_->PostValidate(Uint32At(info, 0), Uint32At(info, 1), Uint32At(info, 2),
                          ToUint64(NumberAt(info, 3)));
  }

  void PostPing(const Napi::CallbackInfo& info) {
    if (HasTarget(info) && MayPost(info)) {
      client_->PostPing(Uint32At(info, 0), Uint32At(info, 1), ToUint64(NumberAt(info, 2)));
    }
  }

  void Release(const Napi::CallbackInfo& info) {
    if (client_ != nullptr) client_->holder()->leases.Release(Uint32At(info, 0));
  }

  Napi::Value Stats(const Napi::CallbackInfo& info) {
    Napi::Object object = Napi::Object::New(info.Env());
    const memory::Arena& arena = *client_->holder()->arena;
    const client::ClientStats stats = client_->stats();
    SetArenaStats(object, arena.stats(), arena.page_kind());
    Set(object, "largestSlabBytes", arena.largest_slab_bytes());
    Set(object, "requestsInFlight",
        static_cast<double>(
            client_->client() == nullptr ? 0 : client_->client()->requests_in_flight()));
    Set(object, "bytesReceived", stats.bytes_received);
    Set(object, "bytesSent", stats.bytes_sent);
    Set(object, "lateReplies", stats.late_replies);
    Set(object, "sessions", static_cast<double>(stats.sessions));
    return object;
  }

  void Confirm(const Napi::CallbackInfo& info) {
    if (!MustBeOpen(info.Env()) || client_->inproc() == nullptr) return;
    client_->inproc()->Confirm(AgoNs(info[0]), ReadServedVolumes(info[1]));
    client_->Wake();
  }

  Napi::Value EngineStats(const Napi::CallbackInfo& info) {
    if (!MustBeOpen(info.Env()) || client_->inproc() == nullptr) return info.Env().Undefined();
    return EngineStatsObject(info.Env(), client_->inproc()->engine_stats());
  }

  void Close(const Napi::CallbackInfo& info) {
    if (!MustBeOpen(info.Env())) return;
    if (info[0].IsFunction()) client_->Close(info[0].As<Napi::Function>());
  }

  std::shared_ptr<FetchClient> client_;
  uint32_t target_count_ = 0;
  Napi::Reference<Napi::ArrayBuffer> ring_;
  Napi::Reference<Napi::ArrayBuffer> command_;
};

}  // namespace

void RegisterClient(Napi::Env env, Napi::Object exports) {
  Set(exports, "RdmaClient", RdmaClient::Define(env));
}

}  // namespace addon
