#pragma once

#include <optional>
#include <set>
#include <span>
#include <vector>

#include "addon/js.h"
#include "engine/engine.h"
#include "memory/arena.h"
#include "stream/channel.h"
#include "ucx/session_proof.h"
#include "ucx/waiting_connections.h"

// Values that both roles exchange with JavaScript in the same form; src/rdma/native-types.ts has
// the types.
namespace addon {

[[nodiscard]] memory::ArenaOptions ReadArenaOptions(const Napi::Object& options);
[[nodiscard]] engine::EngineOptions ReadEngineOptions(const Napi::Object& options);
/// Numbers out of range become the nearest that fits.
[[nodiscard]] std::vector<engine::ServedVolume> ReadServedVolumes(const Napi::Value& rows);
/// The time on CLOCK_MONOTONIC that lies `ago` ns back.
[[nodiscard]] uint64_t AgoNs(double ago);

/// An object built in the C API. An environment may begin to terminate between any two calls, and
/// node-addon-api aborts the process then; here what fails is left out, since no code will see the
/// object.
class Record {
 public:
  explicit Record(napi_env env) : env_(env) { napi_create_object(env, &object_); }

  void Put(const char* name, napi_value value) {
    napi_set_named_property(env_, object_, name, value);
  }
  void Put(const char* name, double value);
  void Put(const char* name, std::string_view value);
  void PutBool(const char* name, bool value);
  void PutBigInt(const char* name, uint64_t value);
  [[nodiscard]] napi_value value() const { return object_; }

 private:
  napi_env env_;
  napi_value object_ = nullptr;
};

/// From a key of 32 bytes, or undefined: none. Nothing for another value.
[[nodiscard]] std::optional<stream::Security> ReadSecurity(const Napi::Value& key, bool is_server);
/// From an array of texts, first the one to prove first; one that is empty, where there is none.
[[nodiscard]] ucx::Secrets ReadSecrets(const Napi::Value& secrets);
/// Opens the same file once more; -1: there is none.
[[nodiscard]] int CopyOfDescriptor(const Napi::Value& fd);

/// A Float64Array; null where there is no memory.
[[nodiscard]] napi_value NumbersArray(napi_env env, std::span<const double> numbers);
void PutArenaStats(Record& record, const memory::ArenaStats& stats, memory::PageKind kind);
/// From an array of literal addresses; what is none is left out.
[[nodiscard]] std::set<ucx::HostAddress> ReadHosts(const Napi::Value& hosts);
[[nodiscard]] Napi::Value ConnectionCountsValue(Napi::Env env, const ucx::ConnectionCounts& counts);
[[nodiscard]] napi_value EngineStatsValue(napi_env env, const engine::EngineStats& stats);

[[nodiscard]] napi_value VolumesArray(napi_env env,
                                      const std::vector<engine::AnnouncedVolume>& volumes);

}  // namespace addon
