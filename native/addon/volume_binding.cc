#include "addon/volume_binding.h"

#include <memory>
#include <utility>

#include "addon/volume_tasks.h"
#include "storage/vacuum.h"
#include "storage/writer.h"

namespace addon {
namespace {

uint8_t GetByte(const Napi::Object& object, const char* name) {
  return static_cast<uint8_t>(GetUint32(object, name));
}

/// Empty where there is no Uint8Array. Valid while JavaScript holds the object and nothing of it
/// runs.
std::span<const std::byte> GetBytes(const Napi::Object& object, const char* name) {
  const Napi::Value value = Get(object, name);
  if (!value.IsTypedArray()) return {};
  const Napi::TypedArray array = value.As<Napi::TypedArray>();
  if (array.TypedArrayType() != napi_uint8_array) return {};
  const Napi::Uint8Array bytes = array.As<Napi::Uint8Array>();
  return std::as_bytes(std::span(bytes.Data(), bytes.ByteLength()));
}

uint64_t ToBigUint64(const Napi::Value& value) {
  if (!value.IsBigInt()) return 0;
  bool is_lossless = false;
  return value.As<Napi::BigInt>().Uint64Value(&is_lossless);
}

storage::NewVolume ReadNewVolume(const Napi::Object& options) {
  return {.dir = GetString(options, "dir"),
          .idx_dir = GetString(options, "idxDir"),
          .collection = GetString(options, "collection"),
          .volume_id = GetUint32(options, "volumeId"),
          .version = GetByte(options, "version"),
          .replica_placement = GetByte(options, "replicaPlacement"),
          .ttl_count = GetByte(options, "ttlCount"),
          .ttl_unit = GetByte(options, "ttlUnit"),
          .offset_bytes = GetUint32(options, "offsetBytes")};
}

storage::NeedleToWrite ReadNeedle(const Napi::Object& needle) {
  return {.needle_id = ToBigUint64(Get(needle, "needleId")),
          .cookie = GetUint32(needle, "cookie"),
          .data = GetBytes(needle, "data"),
          .name = GetBytes(needle, "name"),
          .mime = GetBytes(needle, "mime"),
          .pairs = GetBytes(needle, "pairs"),
          .flags = GetByte(needle, "flags"),
          .last_modified_s = GetUint64(needle, "lastModifiedSeconds"),
          .ttl_count = GetByte(needle, "ttlCount"),
          .ttl_unit = GetByte(needle, "ttlUnit"),
          .append_at_ns = ToBigUint64(Get(needle, "appendedAtNs")),
          .legacy_checksum = GetBool(needle, "legacyChecksum")};
}

class VolumeWriter : public Napi::ObjectWrap<VolumeWriter> {
 public:
  explicit VolumeWriter(const Napi::CallbackInfo& info) : Napi::ObjectWrap<VolumeWriter>(info) {
    if (!info[0].IsObject()) {
      Throw(info.Env(), "VolumeWriter needs options");
      return;
    }
    const Napi::Object options = info[0].As<Napi::Object>();
    const storage::NewVolume volume = ReadNewVolume(options);
    auto writer = GetBool(options, "isNew")
                      ? storage::VolumeWriter::Create(volume)
                      : storage::VolumeWriter::Open(storage::PathsOf(
                            volume.dir, volume.idx_dir, volume.collection, volume.volume_id));
    if (!writer) {
      Throw(info.Env(), writer.error());
      return;
    }
    writer_ = std::move(*writer);
  }

  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "VolumeWriter",
                       {
                           InstanceMethod<&VolumeWriter::Append>("append"),
                           InstanceMethod<&VolumeWriter::Delete>("delete"),
                           InstanceMethod<&VolumeWriter::Vacuum>("vacuum"),
                           InstanceMethod<&VolumeWriter::Close>("close"),
                       });
  }

 private:
  Napi::Value Append(const Napi::CallbackInfo& info) {
    if (writer_ == nullptr) return ThrowClosed(info);
    if (!info[0].IsObject()) return Throw(info.Env(), "append needs a needle");
    const auto written = writer_->Append(ReadNeedle(info[0].As<Napi::Object>()));
    if (!written) return Throw(info.Env(), written.error());
    Napi::Object object = Napi::Object::New(info.Env());
    Set(object, "offset", written->offset);
    Set(object, "size", static_cast<double>(written->size));
    return object;
  }

  Napi::Value Delete(const Napi::CallbackInfo& info) {
    if (writer_ == nullptr) return ThrowClosed(info);
    const auto is_deleted = writer_->Delete(ToBigUint64(info[0]));
    if (!is_deleted) return Throw(info.Env(), is_deleted.error());
    return Napi::Boolean::New(info.Env(), *is_deleted);
  }

  Napi::Value Vacuum(const Napi::CallbackInfo& info) {
    if (writer_ == nullptr) return ThrowClosed(info);
    auto vacuum = storage::Vacuum::Compact(*writer_);
    if (!vacuum) return Throw(info.Env(), vacuum.error());
    const auto report = vacuum->Commit();
    if (!report) return Throw(info.Env(), report.error());
    Napi::Object object = Napi::Object::New(info.Env());
    Set(object, "bytesBefore", report->bytes_before);
    Set(object, "bytesAfter", report->bytes_after);
    Set(object, "needlesKept", report->needles_kept);
    Set(object, "needlesExpired", report->needles_expired);
    Set(object, "needlesUnreadable", report->needles_unreadable);
    return object;
  }

  void Close(const Napi::CallbackInfo&) { writer_.reset(); }

  Napi::Value ThrowClosed(const Napi::CallbackInfo& info) {
    return Throw(info.Env(), "the volume writer is closed");
  }

  std::unique_ptr<storage::VolumeWriter> writer_;
};

}  // namespace

void RegisterVolume(Napi::Env env, Napi::Object exports) {
  Set(exports, "VolumeWriter", VolumeWriter::Define(env));
  Set(exports, "inspectVolume", Napi::Function::New<InspectVolume>(env, "inspectVolume"));
  Set(exports, "verifyVolume", Napi::Function::New<VerifyVolume>(env, "verifyVolume"));
  Set(exports, "listNeedles", Napi::Function::New<ListNeedles>(env, "listNeedles"));
  Set(exports, "listVolumes", Napi::Function::New<ListVolumes>(env, "listVolumes"));
}

}  // namespace addon
