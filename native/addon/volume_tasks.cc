#include "addon/volume_tasks.h"

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "addon/callback.h"
#include "addon/task.h"
#include "storage/catalogue.h"
#include "storage/inspect.h"

namespace addon {
namespace {

using storage::FileResult;

storage::VolumePaths ReadPaths(const Napi::Value& value) {
  if (!value.IsObject()) return {};
  const Napi::Object volume = value.As<Napi::Object>();
  return storage::PathsOf(GetString(volume, "dir"), GetString(volume, "idxDir"),
                          GetString(volume, "collection"), GetUint32(volume, "volumeId"));
}

Napi::Array ProblemTexts(Napi::Env env, const std::vector<std::string>& problems) {
  Napi::Array array = Napi::Array::New(env, problems.size());
  for (uint32_t i = 0; i < problems.size(); ++i) array.Set(i, Napi::String::New(env, problems[i]));
  return array;
}

Napi::Value SuperblockOrNull(Napi::Env env, const std::optional<storage::Superblock>& superblock) {
  if (!superblock) return env.Null();
  Napi::Object object = Napi::Object::New(env);
  Set(object, "version", static_cast<double>(superblock->version));
  Set(object, "replicaPlacement", static_cast<double>(superblock->replica_placement));
  Set(object, "ttlCount", static_cast<double>(superblock->ttl_count));
  Set(object, "ttlUnit", static_cast<double>(superblock->ttl_unit));
  Set(object, "compactionRevision", static_cast<double>(superblock->compaction_revision));
  Set(object, "extraBytes", static_cast<double>(superblock->extra_bytes));
  return object;
}

Napi::Value InfoOrNull(Napi::Env env, const std::optional<storage::VolumeInfo>& info) {
  if (!info) return env.Null();
  Napi::Object object = Napi::Object::New(env);
  Set(object, "isTiered", Napi::Boolean::New(env, info->is_tiered));
  Set(object, "isReadOnly", Napi::Boolean::New(env, info->is_read_only));
  Set(object, "offsetBytes", static_cast<double>(info->offset_bytes));
  Set(object, "version", static_cast<double>(info->version));
  return object;
}

Napi::Value VolumeReportObject(Napi::Env env, const storage::VolumeReport& report) {
  Napi::Object object = Napi::Object::New(env);
  Set(object, "datPath", report.paths.dat());
  Set(object, "idxPath", report.paths.idx());
  Set(object, "superblock", SuperblockOrNull(env, report.superblock));
  Set(object, "info", InfoOrNull(env, report.info));
  Set(object, "datBytes", report.dat_bytes);
  Set(object, "idxBytes", report.idx_bytes);
  Set(object, "putRows", report.put_rows);
  Set(object, "deleteRows", report.delete_rows);
  Set(object, "liveCount", report.live_count);
  Set(object, "deletedCount", report.deleted_count);
  Set(object, "liveBytes", report.live_bytes);
  Set(object, "garbageBytes", report.garbage_bytes);
  Set(object, "problems", ProblemTexts(env, report.problems));
  return object;
}

Napi::Value VerifyReportObject(Napi::Env env, const storage::VerifyReport& report) {
  Napi::Object object = Napi::Object::New(env);
  Set(object, "needlesChecked", report.needles_checked);
  Set(object, "bytesChecked", report.bytes_checked);
  Set(object, "emptyNeedles", report.empty_needles);
  Set(object, "legacyChecksums", report.legacy_checksums);
  Set(object, "problemCount", report.problem_count);
  Napi::Array problems = Napi::Array::New(env, report.problems.size());
  for (uint32_t i = 0; i < report.problems.size(); ++i) {
    Napi::Object problem = Napi::Object::New(env);
    Set(problem, "needleId", Napi::BigInt::New(env, report.problems[i].needle_id));
    Set(problem, "offset", report.problems[i].offset);
    Set(problem, "text", report.problems[i].text);
    problems.Set(i, problem);
  }
  Set(object, "problems", problems);
  return object;
}

Napi::Value NeedlesArray(Napi::Env env, const std::vector<storage::ListedNeedle>& needles) {
  Napi::Array array = Napi::Array::New(env, needles.size());
  for (uint32_t i = 0; i < needles.size(); ++i) {
    Napi::Object object = Napi::Object::New(env);
    Set(object, "needleId", Napi::BigInt::New(env, needles[i].needle_id));
    Set(object, "cookie", static_cast<double>(needles[i].cookie));
    Set(object, "offset", needles[i].offset);
    Set(object, "size", static_cast<double>(needles[i].size));
    array.Set(i, object);
  }
  return array;
}

Napi::Value FoundVolumesArray(Napi::Env env, const std::vector<storage::FoundVolume>& volumes) {
  Napi::Array array = Napi::Array::New(env, volumes.size());
  for (uint32_t i = 0; i < volumes.size(); ++i) {
    const storage::VolumePaths& paths = volumes[i].paths;
    Napi::Object object = Napi::Object::New(env);
    Set(object, "volumeId", static_cast<double>(paths.volume_id));
    Set(object, "collection", paths.collection);
    Set(object, "datPath", paths.dat());
    Set(object, "idxPath", paths.idx());
    Set(object, "isAmbiguous", Napi::Boolean::New(env, paths.is_ambiguous));
    array.Set(i, object);
  }
  return array;
}

/// A Task that also reports its progress; reports that meet on the way become one.
class VerifyTask : public Napi::AsyncProgressWorker<storage::VerifyProgress> {
 public:
  VerifyTask(Napi::Env env, storage::VolumePaths paths, const Napi::Value& on_progress)
      : Napi::AsyncProgressWorker<storage::VerifyProgress>(env, "verifyVolume"),
        paths_(std::move(paths)),
        settle_(env) {
    if (!on_progress.IsFunction()) return;
    on_progress_ = std::make_unique<LoopCallback>(env, on_progress, "verifyVolume");
  }

  Napi::Value promise() const { return settle_.Promise(); }

 private:
  void Execute(const ExecutionProgress& progress) override {
    auto report = storage::VerifyVolume(
        paths_, [&](const storage::VerifyProgress& state) { progress.Send(&state, 1); });
    if (report) {
      report_ = std::move(*report);
    } else {
      SetError(report.error());
    }
  }

  void OnProgress(const storage::VerifyProgress* state, size_t count) override {
    if (on_progress_ == nullptr || count == 0) return;
    const Napi::HandleScope scope(Env());
    const auto number = [&](uint64_t value) -> napi_value {
      return Napi::Number::New(Env(), static_cast<double>(value));
    };
    const napi_value arguments[] = {number(state->needles_done), number(state->needles_total),
                                    number(state->bytes_done)};
    on_progress_->Call(arguments);
  }

  void OnOK() override { settle_.Resolve(VerifyReportObject(Env(), report_)); }
  void OnError(const Napi::Error& error) override { settle_.Reject(error.Value()); }

  storage::VolumePaths paths_;
  Napi::Promise::Deferred settle_;
  std::unique_ptr<LoopCallback> on_progress_;
  storage::VerifyReport report_;
};

}  // namespace

Napi::Value InspectVolume(const Napi::CallbackInfo& info) {
  const auto work = [paths = ReadPaths(info[0])] { return storage::InspectVolume(paths); };
  return Task<storage::VolumeReport>::Start(info.Env(), "inspectVolume", work, VolumeReportObject);
}

Napi::Value VerifyVolume(const Napi::CallbackInfo& info) {
  auto* task = new VerifyTask(info.Env(), ReadPaths(info[0]), info[1]);
  const Napi::Value promise = task->promise();
  task->Queue();
  return promise;
}

Napi::Value ListNeedles(const Napi::CallbackInfo& info) {
  const uint64_t count_max =
      info[1].IsNumber() ? ToUint64(info[1].As<Napi::Number>().DoubleValue()) : 0;
  const auto work = [paths = ReadPaths(info[0]), count_max] {
    return storage::ListNeedles(paths, count_max);
  };
  return Task<std::vector<storage::ListedNeedle>>::Start(info.Env(), "listNeedles", work,
                                                         NeedlesArray);
}

Napi::Value ListVolumes(const Napi::CallbackInfo& info) {
  if (!info[0].IsObject()) return Throw(info.Env(), "listVolumes needs options");
  const Napi::Object options = info[0].As<Napi::Object>();
  const auto work = [dirs = GetStrings(options, "dirs"),
                     idx_dirs = GetStrings(options, "idxDirs")] {
    return storage::ScanDirectories(dirs, idx_dirs);
  };
  return Task<std::vector<storage::FoundVolume>>::Start(info.Env(), "listVolumes", work,
                                                        FoundVolumesArray);
}

}  // namespace addon
