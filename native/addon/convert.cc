#include "addon/convert.h"

#include <arpa/inet.h>
#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "protocol/clock.h"

namespace addon {

memory::ArenaOptions ReadArenaOptions(const Napi::Object& options) {
  const std::string hugepages = GetString(options, "hugepages");
  memory::ArenaOptions arena{.bytes = GetUint64(options, "arenaBytes")};
  if (hugepages == "require") arena.hugepages = memory::Hugepages::kRequire;
  if (hugepages == "off") arena.hugepages = memory::Hugepages::kOff;
  return arena;
}

engine::EngineOptions ReadEngineOptions(const Napi::Object& options) {
  engine::EngineOptions engine;
  engine.dirs = GetStrings(options, "dirs");
  engine.idx_dirs = GetStrings(options, "idxDirs");
  engine.unconfirmed = GetBool(options, "unconfirmed");
  engine.confirm_interval_ns = GetUint64(options, "confirmIntervalNs");
  engine.io_threads = GetUint32(options, "ioThreads");
  return engine;
}

std::vector<engine::ServedVolume> ReadServedVolumes(const Napi::Value& rows) {
  std::vector<engine::ServedVolume> served;
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

namespace {

std::optional<ucx::HostAddress> HostOf(const std::string& text) {
  ucx::HostAddress host{};
  if (inet_pton(AF_INET6, text.c_str(), host.data()) == 1) return host;
  host[10] = host[11] = std::byte{0xff};
  if (inet_pton(AF_INET, text.c_str(), &host[12]) == 1) return host;
  return std::nullopt;
}

}  // namespace

std::set<ucx::HostAddress> ReadHosts(const Napi::Value& hosts) {
  std::set<ucx::HostAddress> read;
  if (!hosts.IsArray()) return read;
  const Napi::Array array = hosts.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value value = array.Get(i).UnwrapOr(hosts.Env().Undefined());
    if (!value.IsString()) continue;
    const auto host = HostOf(value.As<Napi::String>().Utf8Value());
    if (host) read.insert(*host);
  }
  return read;
}

uint64_t AgoNs(double ago) {
  const uint64_t now_ns = protocol::NowNs();
  const uint64_t ago_ns = ToUint64(ago);
  return ago_ns < now_ns ? now_ns - ago_ns : 0;
}

napi_value NumbersArray(napi_env env, std::span<const double> numbers) {
  void* data = nullptr;
  napi_value buffer = nullptr;
  napi_value array = nullptr;
  if (napi_create_arraybuffer(env, numbers.size_bytes(), &data, &buffer) != napi_ok) return nullptr;
  if (!numbers.empty()) std::memcpy(data, numbers.data(), numbers.size_bytes());
  napi_create_typedarray(env, napi_float64_array, numbers.size(), buffer, 0, &array);
  return array;
}

void PutArenaStats(Record& record, const memory::ArenaStats& stats, memory::PageKind kind) {
  record.Put("arenaBytesTotal", static_cast<double>(stats.bytes_total));
  record.Put("arenaBytesLeased", static_cast<double>(stats.bytes_leased));
  record.Put("leasesOutstanding", static_cast<double>(stats.leases_outstanding));
  record.Put("arenaRefusals", static_cast<double>(stats.refusals));
  record.Put("arenaRefusedBytes", static_cast<double>(stats.refused_bytes));
  record.Put("pageKind", memory::PageKindName(kind));
}

Napi::Value ConnectionCountsValue(Napi::Env env, const ucx::ConnectionCounts& counts) {
  Record record(env);
  record.Put("waiting", static_cast<double>(counts.waiting));
  record.Put("ended", static_cast<double>(counts.ended));
  record.Put("descriptors", static_cast<double>(counts.descriptors));
  record.Put("lostPorts", static_cast<double>(counts.lost_ports));
  record.Put("lookCpuMs", static_cast<double>(counts.look_cpu_ns) / 1e6);
  return {env, record.value()};
}

napi_value VolumesArray(napi_env env, const std::vector<engine::AnnouncedVolume>& volumes) {
  napi_value array = nullptr;
  napi_create_array_with_length(env, volumes.size(), &array);
  for (uint32_t i = 0; i < volumes.size(); ++i) {
    Record record(env);
    record.Put("volumeId", static_cast<double>(volumes[i].volume_id));
    record.Put("version", static_cast<double>(volumes[i].version));
    record.PutBool("confirmed", volumes[i].confirmed);
    record.Put("collection", volumes[i].collection);
    napi_set_element(env, array, i, record.value());
  }
  return array;
}

std::optional<stream::Security> ReadSecurity(const Napi::Value& key, bool is_server) {
  stream::Security security{.is_server = is_server, .key = {}};
  if (key.IsUndefined()) return security;
  if (!key.IsTypedArray()) return std::nullopt;
  const auto bytes = key.As<Napi::Uint8Array>();
  stream::PreSharedKey& read = security.key.emplace();
  if (bytes.ByteLength() != read.size()) return std::nullopt;
  std::copy_n(bytes.Data(), read.size(), read.begin());
  return security;
}

ucx::Secrets ReadSecrets(const Napi::Value& secrets) {
  ucx::Secrets read = ReadStrings(secrets);
  if (read.empty()) read.emplace_back();
  return read;
}

int CopyOfDescriptor(const Napi::Value& fd) {
  if (!fd.IsNumber()) return -1;
  return fcntl(fd.As<Napi::Number>().Int32Value(), F_DUPFD_CLOEXEC, 0);
}

napi_value EngineStatsValue(napi_env env, const engine::EngineStats& stats) {
  Record record(env);
  record.Put("volumesLoaded", static_cast<double>(stats.volumes_loaded));
  record.Put("volumesWithoutDescriptors", static_cast<double>(stats.volumes_without_descriptors));
  record.Put("volumesConfirmed", static_cast<double>(stats.volumes_confirmed));
  record.Put("needles", static_cast<double>(stats.needles));
  record.Put("mapBytes", static_cast<double>(stats.map_bytes));
  record.Put("readsCached", static_cast<double>(stats.reads_cached));
  record.Put("readsDisk", static_cast<double>(stats.reads_disk));
  record.Put("readsInFlight", static_cast<double>(stats.reads_in_flight));
  record.Put("readsWaiting", static_cast<double>(stats.reads_waiting));
  record.Put("corrupt", static_cast<double>(stats.corrupt));
  record.Put("reloads", static_cast<double>(stats.reloads));
  return record.value();
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
