#include "addon/convert.h"

#include "protocol/clock.h"

namespace addon {

memory::ArenaOptions ReadArenaOptions(const Napi::Object& options) {
  const std::string hugepages = GetString(options, "hugepages");
  memory::ArenaOptions arena{.bytes = GetUint64(options, "arenaBytes")};
  if (hugepages == "require") arena.hugepages = memory::Hugepages::kRequire;
  if (hugepages == "off") arena.hugepages = memory::Hugepages::kOff;
  return arena;
}

target::EngineOptions ReadEngineOptions(const Napi::Object& options) {
  target::EngineOptions engine;
  engine.dirs = GetStrings(options, "dirs");
  engine.idx_dirs = GetStrings(options, "idxDirs");
  engine.unconfirmed = GetBool(options, "unconfirmed");
  engine.confirm_interval_ns = GetUint64(options, "confirmIntervalNs");
  engine.io_threads = GetUint32(options, "ioThreads");
  return engine;
}

std::vector<target::ServedVolume> ReadServedVolumes(const Napi::Value& rows) {
  std::vector<target::ServedVolume> served;
  if (!rows.IsArray()) return served;
  const Napi::Array array = rows.As<Napi::Array>();
  served.reserve(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value value = array.Get(i).UnwrapOr(rows.Env().Undefined());
    if (!value.IsObject()) continue;
    const Napi::Object row = value.As<Napi::Object>();
    served.push_back({
        .volume_id = GetUint32(row, "volumeId"),
        .size_bytes = GetUint64(row, "sizeBytes"),
        .file_count = GetUint64(row, "fileCount"),
        .modified_at_s = static_cast<int64_t>(GetUint64(row, "modifiedAtSeconds") & INT64_MAX),
    });
  }
  return served;
}

uint64_t AgoNs(const Napi::Value& ago) {
  const uint64_t now_ns = protocol::NowNs();
  const uint64_t ago_ns =
      ago.IsNumber() ? ToUint64(ago.As<Napi::Number>().DoubleValue()) : UINT64_MAX;
  return ago_ns < now_ns ? now_ns - ago_ns : 0;
}

void SetArenaStats(Napi::Object& object, const memory::ArenaStats& stats, memory::PageKind kind) {
  Set(object, "arenaBytesTotal", stats.bytes_total);
  Set(object, "arenaBytesLeased", stats.bytes_leased);
  Set(object, "leasesOutstanding", stats.leases_outstanding);
  Set(object, "pageKind", memory::PageKindName(kind));
}

Napi::Object EngineStatsObject(Napi::Env env, const target::EngineStats& stats) {
  Napi::Object object = Napi::Object::New(env);
  Set(object, "volumesLoaded", stats.volumes_loaded);
  Set(object, "volumesConfirmed", stats.volumes_confirmed);
  Set(object, "needles", stats.needles);
  Set(object, "mapBytes", stats.map_bytes);
  Set(object, "readsCached", stats.reads_cached);
  Set(object, "readsDisk", stats.reads_disk);
  Set(object, "readsInFlight", stats.reads_in_flight);
  Set(object, "corrupt", stats.corrupt);
  Set(object, "reloads", stats.reloads);
  return object;
}

void Record::Put(const char* name, double value) {
  napi_value number = nullptr;
  if (napi_create_double(env_, value, &number) == napi_ok) Put(name, number);
}

void Record::Put(const char* name, std::string_view value) {
  napi_value text = nullptr;
  if (napi_create_string_utf8(env_, value.data(), value.size(), &text) == napi_ok) Put(name, text);
}

void Record::PutBool(const char* name, bool value) {
  napi_value boolean = nullptr;
  if (napi_get_boolean(env_, value, &boolean) == napi_ok) Put(name, boolean);
}

void Record::PutBigInt(const char* name, uint64_t value) {
  napi_value integer = nullptr;
  if (napi_create_bigint_uint64(env_, value, &integer) == napi_ok) Put(name, integer);
}

}  // namespace addon
