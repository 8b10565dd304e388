#include "addon/lane_binding.h"

#include <algorithm>
#include <string>
#include <utility>

#include "addon/convert.h"
#include "addon/lane_set.h"
#include "addon/methods.h"
#include "protocol/clock.h"

namespace addon {
namespace {

constexpr double kNsPerMs = 1e6;

std::vector<double> GetNumbers(const Napi::Object& object, const char* name) {
  std::vector<double> numbers;
  const Napi::Value value = Get(object, name);
  if (!value.IsArray()) return numbers;
  const Napi::Array array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    double number = 0;
    napi_value element = nullptr;
    if (napi_get_element(array.Env(), array, i, &element) == napi_ok &&
        napi_get_value_double(array.Env(), element, &number) == napi_ok)
      numbers.push_back(number);
  }
  return numbers;
}

/// Empty where there is none. Valid while JavaScript holds the object.
std::span<const std::byte> BytesOf(const Napi::CallbackInfo& info, size_t index) {
  bool is_buffer = false;
  void* data = nullptr;
  size_t bytes = 0;
  if (index >= info.Length()) return {};
  if (napi_is_buffer(info.Env(), info[index], &is_buffer) != napi_ok || !is_buffer) return {};
  if (napi_get_buffer_info(info.Env(), info[index], &data, &bytes) != napi_ok) return {};
  return {static_cast<const std::byte*>(data), bytes};
}

std::string_view TextOf(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool BoolAt(const Napi::CallbackInfo& info, size_t index) {
  bool value = false;
  return index < info.Length() && napi_get_value_bool(info.Env(), info[index], &value) == napi_ok &&
         value;
}

napi_value ToBool(napi_env env, bool value) {
  napi_value result = nullptr;
  napi_get_boolean(env, value, &result);
  return result;
}

napi_value ToNumber(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

uint64_t NsOf(double ms) { return ToUint64(ms * kNsPerMs); }

/// Whether `size` bytes from `at` on lie within `bytes`.
bool IsPlace(double at, size_t size, size_t bytes) {
  return at >= 0 && at + static_cast<double>(size) <= static_cast<double>(bytes);
}

/// publish(request, holeAt, holeEnd, answer, idAt, idAgainAt, dateAt, body, volume, agent,
/// expiresInMs, isByReference): -1 where there is no hole or no second place; 0: never expires.
napi_value Publish(LaneSet& set, const Napi::CallbackInfo& info) {
  const std::string_view request = TextOf(BytesOf(info, 0));
  const double hole_at = NumberAt(info, 1);
  const double hole_end = NumberAt(info, 2);
  const std::string_view answer = TextOf(BytesOf(info, 3));
  const double id_at = NumberAt(info, 4);
  const double id_again_at = NumberAt(info, 5);
  const double date_at = NumberAt(info, 6);
  const std::shared_ptr<shelf::Volume> volume = set.VolumeOf(Uint32At(info, 8));
  const bool has_hole = hole_at >= 0;
  const bool is_sound =
      set.IsOpen() && volume != nullptr && !request.empty() &&
      IsPlace(id_at, shelf::kRequestIdBytes, answer.size()) &&
      (id_again_at < 0 || IsPlace(id_again_at, shelf::kRequestIdBytes, answer.size())) &&
      IsPlace(date_at, shelf::kDateBytes, answer.size()) &&
      (!has_hole || (hole_end >= hole_at && hole_end < static_cast<double>(request.size())));
  if (!is_sound) return Throw(info.Env(), "not an answer that can be published");
  shelf::NewEntry entry;
  const size_t before = has_hole ? static_cast<size_t>(hole_at) : request.size();
  entry.heads.request = request.substr(0, before);
  if (has_hole) entry.heads.request_rest = request.substr(static_cast<size_t>(hole_end));
  entry.heads.answer = answer;
  entry.heads.id_at = static_cast<uint32_t>(id_at);
  if (id_again_at >= 0) entry.heads.id_again_at = static_cast<uint32_t>(id_again_at);
  entry.heads.date_at = static_cast<uint32_t>(date_at);
  entry.body = BytesOf(info, 7);
  entry.is_by_reference = BoolAt(info, 11);
  entry.volume = volume;
  entry.agent = Uint32At(info, 9);
  const double expires_in_ms = NumberAt(info, 10);
  if (expires_in_ms > 0) entry.expires_at_ns = protocol::NowNs() + NsOf(expires_in_ms);
  return ToNumber(info.Env(), static_cast<double>(set.shelf().Publish(std::move(entry))));
}

napi_value Withdraw(LaneSet& set, const Napi::CallbackInfo& info) {
  return ToBool(info.Env(), set.shelf().Withdraw(ToUint64(NumberAt(info, 0))));
}

napi_value AddVolume(LaneSet& set, const Napi::CallbackInfo& info) {
  set.AddVolume(Uint32At(info, 0));
  return nullptr;
}

napi_value DropVolume(LaneSet& set, const Napi::CallbackInfo& info) {
  if (const auto volume = set.VolumeOf(Uint32At(info, 0))) volume->DropAll();
  return nullptr;
}

napi_value ForgetVolume(LaneSet& set, const Napi::CallbackInfo& info) {
  if (const auto volume = set.VolumeOf(Uint32At(info, 0))) volume->DropAll();
  set.ForgetVolume(Uint32At(info, 0));
  return nullptr;
}

/// grant(volume, forMs): 0 ends it.
napi_value Grant(LaneSet& set, const Napi::CallbackInfo& info) {
  const double for_ms = NumberAt(info, 1);
  if (const auto volume = set.VolumeOf(Uint32At(info, 0)))
    volume->Grant(for_ms > 0 ? protocol::NowNs() + NsOf(for_ms) : 0);
  return nullptr;
}

/// give(lane, connection, fd, peer)
napi_value Give(LaneSet& set, const Napi::CallbackInfo& info) {
  lane::Lane* lane = set.LaneAt(Uint32At(info, 0));
  const double fd = NumberAt(info, 2);
  if (!set.IsOpen() || lane == nullptr || fd < 0)
    return Throw(info.Env(), "no lane for this connection");
  lane->Give(Uint32At(info, 1), static_cast<int>(fd), Uint32At(info, 3));
  return nullptr;
}

/// askBack(lane, connection, isNow)
napi_value AskBack(LaneSet& set, const Napi::CallbackInfo& info) {
  if (lane::Lane* lane = set.LaneAt(Uint32At(info, 0)); lane != nullptr && set.IsOpen())
    lane->AskBack(Uint32At(info, 1), BoolAt(info, 2));
  return nullptr;
}

/// settle(lane, ticket, isFresh)
napi_value Settle(LaneSet& set, const Napi::CallbackInfo& info) {
  if (lane::Lane* lane = set.LaneAt(Uint32At(info, 0)); lane != nullptr && set.IsOpen())
    lane->Settle(ToUint64(NumberAt(info, 1)), BoolAt(info, 2));
  return nullptr;
}

/// restingMs(lane, connection)
napi_value RestingMs(LaneSet& set, const Napi::CallbackInfo& info) {
  const lane::Lane* lane = set.LaneAt(Uint32At(info, 0));
  const uint64_t ns = lane == nullptr ? 0 : lane->RestingNs(Uint32At(info, 1), protocol::NowNs());
  return ToNumber(info.Env(), static_cast<double>(ns) / kNsPerMs);
}

/// setLimits(idleTimeoutMs, bytesInFlightMax, sampleEvery, isOpen)
napi_value SetLimits(LaneSet& set, const Napi::CallbackInfo& info) {
  lane::Limits& limits = set.limits();
  limits.idle_timeout_ns = NsOf(NumberAt(info, 0));
  limits.bytes_in_flight_max = ToUint64(NumberAt(info, 1));
  limits.sample_every = std::max(1u, Uint32At(info, 2));
  limits.is_open = BoolAt(info, 3);
  return nullptr;
}

napi_value BytesInFlight(LaneSet& set, const Napi::CallbackInfo& info) {
  return ToNumber(info.Env(), static_cast<double>(set.limits().bytes_in_flight.load()));
}

napi_value HistogramValue(napi_env env, const lane::Histogram& histogram) {
  Record record(env);
  const std::vector<double> counts(histogram.counts.begin(), histogram.counts.end());
  record.Put("counts", NumbersArray(env, counts));
  record.Put("seconds", histogram.seconds);
  return record.value();
}

napi_value SampleValue(napi_env env, const lane::Sample& sample) {
  const shelf::Heads& heads = *sample.heads;
  std::string answer = heads.answer;
  sample.request_id.copy(answer.data() + heads.id_at, shelf::kRequestIdBytes);
  Record record(env);
  record.Put("request", std::string_view(heads.request + sample.client_id + heads.request_rest));
  record.Put("answerHead", std::string_view(answer));
  record.Put("entry", static_cast<double>(sample.entry));
  record.Put("peer", static_cast<double>(sample.peer));
  record.Put("weight", static_cast<double>(sample.weight));
  record.Put("durationMs", static_cast<double>(sample.duration_ns) / kNsPerMs);
  record.Put("bytes", static_cast<double>(sample.bytes));
  return record.value();
}

/// tally(lane): what was counted since the last call.
napi_value TakeTally(LaneSet& set, const Napi::CallbackInfo& info) {
  const napi_env env = info.Env();
  lane::Lane* lane = set.LaneAt(Uint32At(info, 0));
  if (lane == nullptr) return Throw(info.Env(), "no such lane");
  const lane::Tally tally = lane->TakeTally();
  std::vector<double> cells;
  for (const auto& [key, cell] : tally.cells) {
    const double numbers[] = {static_cast<double>(key.peer), static_cast<double>(key.agent),
                              static_cast<double>(key.volume), static_cast<double>(cell.requests),
                              static_cast<double>(cell.bytes)};
    cells.insert(cells.end(), std::begin(numbers), std::end(numbers));
  }
  napi_value samples = nullptr;
  napi_create_array_with_length(env, tally.samples.size(), &samples);
  for (uint32_t i = 0; i < tally.samples.size(); ++i)
    napi_set_element(env, samples, i, SampleValue(env, tally.samples[i]));
  Record record(env);
  record.Put("requests", static_cast<double>(tally.requests));
  record.Put("bytes", static_cast<double>(tally.bytes));
  record.Put("validated", static_cast<double>(tally.validated));
  record.Put("returned", static_cast<double>(tally.returned));
  record.Put("questions", static_cast<double>(tally.questions));
  record.Put("samplesDropped", static_cast<double>(tally.samples_dropped));
  record.Put("durations", HistogramValue(env, tally.durations));
  record.Put("waits", HistogramValue(env, tally.waits));
  record.Put("cells", NumbersArray(env, cells));
  record.Put("samples", samples);
  return record.value();
}

napi_value Close(LaneSet& set, const Napi::CallbackInfo&) {
  set.Close();
  return nullptr;
}

/// new Lanes(options, onEvents)
napi_value Construct(napi_env env, napi_callback_info raw_info) {
  const Napi::CallbackInfo info(env, raw_info);
  if (!info[0].IsObject() || !info[1].IsFunction())
    return Throw(env, "Lanes needs options and a callback");
  const Napi::Object options = info[0].As<Napi::Object>();
  const LaneSetOptions read{.lanes = GetUint32(options, "lanes"),
                            .lane = {.name = {},
                                     .duration_bounds = GetNumbers(options, "durationBounds"),
                                     .wait_bounds = GetNumbers(options, "waitBounds"),
                                     .samples_max = GetUint64(options, "samplesMax"),
                                     .copied_bytes_max = GetUint64(options, "copiedBytesMax"),
                                     .on_events = {}},
                            .idle_timeout_ns = NsOf(GetNumber(options, "idleTimeoutMs")),
                            .bytes_in_flight_max = GetUint64(options, "bytesInFlightMax")};
  const auto set = LaneSet::Create(env, read, info[1].As<Napi::Function>());
  if (set == nullptr) return Throw(env, "no event loop");
  const Napi::Object self = info.This().As<Napi::Object>();
  DefineMethod<LaneSet, Publish>(env, self, "publish", set);
  DefineMethod<LaneSet, Withdraw>(env, self, "withdraw", set);
  DefineMethod<LaneSet, AddVolume>(env, self, "addVolume", set);
  DefineMethod<LaneSet, DropVolume>(env, self, "dropVolume", set);
  DefineMethod<LaneSet, ForgetVolume>(env, self, "forgetVolume", set);
  DefineMethod<LaneSet, Grant>(env, self, "grant", set);
  DefineMethod<LaneSet, Give>(env, self, "give", set);
  DefineMethod<LaneSet, AskBack>(env, self, "askBack", set);
  DefineMethod<LaneSet, Settle>(env, self, "settle", set);
  DefineMethod<LaneSet, RestingMs>(env, self, "restingMs", set);
  DefineMethod<LaneSet, SetLimits>(env, self, "setLimits", set);
  DefineMethod<LaneSet, BytesInFlight>(env, self, "bytesInFlight", set);
  DefineMethod<LaneSet, TakeTally>(env, self, "tally", set);
  DefineMethod<LaneSet, Close>(env, self, "close", set);
  return nullptr;
}

}  // namespace

void RegisterLanes(Napi::Env env, Napi::Object exports) {
  DefineClass(env, exports, "Lanes", Construct);
}

}  // namespace addon
