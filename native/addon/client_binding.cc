#include "addon/client_binding.h"

#include <cstring>
#include <utility>

#include "addon/convert.h"
#include "addon/fetch_client.h"
#include "addon/methods.h"
#include "addon/shared_layout.h"
#include "addon/task.h"

namespace addon {
namespace {

FetchClientOptions ReadOptions(const Napi::Object& options) {
  FetchClientOptions read;
  read.has_targets = GetString(options, "kind") == "ucx";
  read.is_ucx = GetBool(options, "isUcx");
  read.requests_max = GetUint32(options, "requestsMax");
  read.spin_ns = GetUint64(options, "spinNs");
  read.arena = ReadArenaOptions(options);
  read.device_name = GetString(options, "deviceName");
  read.rails = GetStrings(options, "rails");
  read.tls = GetString(options, "tls");
  read.is_ipv6 = GetBool(options, "isIpv6");
  read.is_guarded = GetBool(options, "isGuarded");
  read.connections = {.timeout_ns = GetUint64(options, "handshakeTimeoutNs"),
                      .per_address_max = GetUint32(options, "pendingPerAddressMax")};
  read.engine = ReadEngineOptions(options);
  read.engine.requests_max = read.requests_max;
  read.simulated_latency_ns = GetUint64(options, "simulatedLatencyNs");
  return read;
}

bool MustBeOpen(FetchClient& client, const Napi::CallbackInfo& info) {
  if (client.IsOpen()) return true;
  Throw(info.Env(), "the client is closed");
  return false;
}

bool MustHaveTarget(FetchClient& client, const Napi::CallbackInfo& info) {
  if (client.HasTarget(Uint32At(info, 0))) return true;
  Throw(info.Env(), "no such target");
  return false;
}

bool MustBePostable(FetchClient& client, const Napi::CallbackInfo& info) {
  if (!MustHaveTarget(client, info)) return false;
  if (client.MayPost(Uint32At(info, 1))) return true;
  Throw(info.Env(), "the client is closed, or the ticket is not free");
  return false;
}

napi_value AddTarget(FetchClient& client, const Napi::CallbackInfo& info) {
  if (!MustBeOpen(client, info)) return nullptr;
  const uint32_t port = Uint32At(info, 1);
  if (!info[0].IsString() || !info[2].IsArray() || port > UINT16_MAX)
    return Throw(info.Env(), "not an address");
  const client::TargetId target = client.AddTarget({
      .host = info[0].As<Napi::String>().Utf8Value(),
      .port = static_cast<uint16_t>(port),
      .secrets = ReadSecrets(info[2]),
      .connect_timeout_ns = ToUint64(NumberAt(info, 3)),
      .rail = Uint32At(info, 4),
  });
  return Napi::Number::New(info.Env(), target);
}

napi_value SetSecrets(FetchClient& client, const Napi::CallbackInfo& info) {
  if (MustBeOpen(client, info) && MustHaveTarget(client, info))
    client.client()->SetSecrets(Uint32At(info, 0), ReadSecrets(info[1]));
  return nullptr;
}

napi_value Connect(FetchClient& client, const Napi::CallbackInfo& info) {
  if (!MustBeOpen(client, info) || !MustHaveTarget(client, info)) return nullptr;
  const uint32_t port = Uint32At(info, 1);
  if (port > UINT16_MAX) return Throw(info.Env(), "not a port");
  client.ConnectAt(Uint32At(info, 0), static_cast<uint16_t>(port), ToUint64(NumberAt(info, 2)));
  return nullptr;
}

/// Takes a copy of the descriptor: the caller closes its own.
napi_value ConnectStream(FetchClient& client, const Napi::CallbackInfo& info) {
  if (!MustBeOpen(client, info) || !MustHaveTarget(client, info)) return nullptr;
  const auto security = ReadSecurity(info[2], false);
  const int fd = security ? CopyOfDescriptor(info[1]) : -1;
  if (fd < 0) return Throw(info.Env(), "not a descriptor that can be copied, or not a key");
  client.ConnectStream(Uint32At(info, 0), fd, *security, ToUint64(NumberAt(info, 3)));
  return nullptr;
}

napi_value AdmitPeers(FetchClient& client, const Napi::CallbackInfo& info) {
  if (!MustBeOpen(client, info)) return nullptr;
  std::string error;
  if (client.client()->AdmitPeers(ReadHosts(info[0]), error)) return nullptr;
  return Throw(info.Env(), error);
}

napi_value GuardFault(FetchClient& client, const Napi::CallbackInfo& info) {
  if (!MustBeOpen(client, info)) return nullptr;
  return Napi::String::New(info.Env(), client.client()->guard_fault());
}

napi_value Disconnect(FetchClient& client, const Napi::CallbackInfo& info) {
  if (MustBeOpen(client, info) && MustHaveTarget(client, info))
    client.Disconnect(Uint32At(info, 0));
  return nullptr;
}

napi_value PostRead(FetchClient& client, const Napi::CallbackInfo& info) {
  if (MustBePostable(client, info)) client.PostRead(Uint32At(info, 0), Uint32At(info, 1));
  return nullptr;
}

napi_value PostValidate(FetchClient& client, const Napi::CallbackInfo& info) {
  if (!MustBePostable(client, info)) return nullptr;
  client.PostValidate(Uint32At(info, 0), Uint32At(info, 1), Uint32At(info, 2),
                      ToUint64(NumberAt(info, 3)), Uint32At(info, 4));
  return nullptr;
}

napi_value PostPing(FetchClient& client, const Napi::CallbackInfo& info) {
  if (!MustBePostable(client, info)) return nullptr;
  client.PostPing(Uint32At(info, 0), Uint32At(info, 1), ToUint64(NumberAt(info, 2)));
  return nullptr;
}

napi_value Release(FetchClient& client, const Napi::CallbackInfo& info) {
  client.holder()->leases.Release(Uint32At(info, 0));
  return nullptr;
}

napi_value Stats(FetchClient& client, const Napi::CallbackInfo& info) {
  const memory::Arena& arena = *client.holder()->arena;
  const client::ClientStats stats = client.stats();
  const uint32_t in_flight = client.client() == nullptr ? 0 : client.client()->requests_in_flight();
  Record record(info.Env());
  PutArenaStats(record, arena.stats(), arena.page_kind());
  record.Put("largestSlabBytes", static_cast<double>(arena.largest_slab_bytes()));
  record.Put("requestsInFlight", static_cast<double>(in_flight));
  record.Put("bytesReceived", static_cast<double>(stats.bytes_received));
  record.Put("bytesSent", static_cast<double>(stats.bytes_sent));
  record.Put("lateReplies", static_cast<double>(stats.late_replies));
  record.Put("sessions", static_cast<double>(stats.sessions));
  return record.value();
}

/// A promise: on a proxy with many clients a look takes milliseconds. undefined: there are no ports
/// to look at.
napi_value LookAtConnections(FetchClient& client, const Napi::CallbackInfo& info) {
  if (!MustBeOpen(client, info)) return nullptr;
  const client::Client::ConnectionLook look = client.client()->connection_look();
  if (!look) return info.Env().Undefined();
  using Look = Task<ucx::ConnectionCounts>;
  return Look::Start(
      info.Env(), "lookAtConnections",
      [look]() -> std::expected<ucx::ConnectionCounts, std::string> { return look(); },
      ConnectionCountsValue);
}

napi_value Confirm(FetchClient& client, const Napi::CallbackInfo& info) {
  if (!MustBeOpen(client, info) || client.inproc() == nullptr) return nullptr;
  client.inproc()->Confirm(AgoNs(NumberAt(info, 0)), ReadServedVolumes(info[1]));
  client.Wake();
  return nullptr;
}

napi_value EngineStats(FetchClient& client, const Napi::CallbackInfo& info) {
  if (!MustBeOpen(client, info) || client.inproc() == nullptr) return nullptr;
  return EngineStatsValue(info.Env(), client.inproc()->engine_stats());
}

napi_value Close(FetchClient& client, const Napi::CallbackInfo& info) {
  if (MustBeOpen(client, info) && info[0].IsFunction()) client.Close(info[0].As<Napi::Function>());
  return nullptr;
}

void ShareMemory(Napi::Env env, Napi::Object self, FetchClient& client) {
  const Napi::ArrayBuffer ring = Napi::ArrayBuffer::New(env, kRingEntries * sizeof(Entry));
  Napi::ArrayBuffer command = Napi::ArrayBuffer::New(env, sizeof(Command));
  std::memset(command.Data(), 0, command.ByteLength());
  client.Share(ring, command);
  Set(self, "ring", ring);
  Set(self, "command", command);
  Set(self, "arena", ArenaBuffer(env, client.holder()));
}

/// new RdmaClient(options, onBatch)
napi_value Construct(napi_env env, napi_callback_info raw_info) {
  const Napi::CallbackInfo info(env, raw_info);
  if (!info[0].IsObject() || !info[1].IsFunction())
    return Throw(env, "RdmaClient needs options and a callback");
  const FetchClientOptions options = ReadOptions(info[0].As<Napi::Object>());
  std::string error;
  const auto client = FetchClient::Create(env, options, info[1].As<Napi::Function>(), error);
  if (client == nullptr) return Throw(env, error);
  const Napi::Object self = info.This().As<Napi::Object>();
  ShareMemory(env, self, *client);
  DefineMethod<FetchClient, AddTarget>(env, self, "addTarget", client);
  DefineMethod<FetchClient, SetSecrets>(env, self, "setSecrets", client);
  DefineMethod<FetchClient, Connect>(env, self, "connect", client);
  DefineMethod<FetchClient, ConnectStream>(env, self, "connectStream", client);
  DefineMethod<FetchClient, Disconnect>(env, self, "disconnect", client);
  DefineMethod<FetchClient, AdmitPeers>(env, self, "admitPeers", client);
  DefineMethod<FetchClient, GuardFault>(env, self, "guardFault", client);
  DefineMethod<FetchClient, PostRead>(env, self, "postRead", client);
  DefineMethod<FetchClient, PostValidate>(env, self, "postValidate", client);
  DefineMethod<FetchClient, PostPing>(env, self, "postPing", client);
  DefineMethod<FetchClient, Release>(env, self, "release", client);
  DefineMethod<FetchClient, Stats>(env, self, "stats", client);
  DefineMethod<FetchClient, LookAtConnections>(env, self, "lookAtConnections", client);
  DefineMethod<FetchClient, Confirm>(env, self, "confirm", client);
  DefineMethod<FetchClient, EngineStats>(env, self, "engineStats", client);
  DefineMethod<FetchClient, Close>(env, self, "close", client);
  return nullptr;
}

}  // namespace

void RegisterClient(Napi::Env env, Napi::Object exports) {
  DefineClass(env, exports, "RdmaClient", Construct);
}

}  // namespace addon
