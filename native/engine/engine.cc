#include "engine/engine.h"

#include <dirent.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "engine/idx_tail.h"
#include "engine/io_threads.h"
#include "engine/memory_turns.h"
#include "engine/read_job.h"
#include "engine/verified_needles.h"
#include "engine/volume_table.h"
#include "memory/check.h"
#include "protocol/clock.h"
#include "storage/unique_fd.h"

namespace engine {
namespace {

using protocol::Status;
using protocol::Verdict;
using storage::Blocking;
using storage::ReadOutcome;
using storage::UniqueFd;

constexpr time_t kSweepSeconds = 1;
constexpr uint64_t kVersion1BytesMax = 1
                                       << 20;  // larger ones are answered 500 (specification, 6.2)

class DiskEngine final : public Engine {
 public:
  DiskEngine(const EngineOptions& options, memory::Arena& arena, ReadSink& sink);
  ~DiskEngine() override;

  void Read(uint64_t token, const ReadCommand& command) override;
  ValidateResult Validate(const protocol::ValidateItem& item) override;
  void Confirm(uint64_t started_ns, std::span<const ServedVolume> served) override;
  bool TakePollWanted() override { return table_.TakePollWanted(); }
  int event_fd() const override { return epoll_.get(); }
  void Poll() override;
  bool GoOn(uint64_t now_ns) override;
  uint64_t volumes_generation() const override { return table_.generation(); }
  std::vector<AnnouncedVolume> Volumes() const override { return table_.list(); }
  EngineStats stats() const override;

 private:
  using RecordKey = std::pair<uint64_t, uint64_t>;  // epoch, offset

  [[nodiscard]] Status Find(const ReadCommand& command, ReadPlace& place);
  void Drive(ReadJob&& job);
  void WaitForMemory(ReadJob&& job);
  void PostRun(const std::shared_ptr<ReadJob>& job);
  void FinishRun(const std::shared_ptr<ReadJob>& job, ReadOutcome outcome);
  void WakeWaiting(const RecordKey& key, std::optional<uint32_t> checksum);
  [[nodiscard]] bool Continue(ReadJob& job, ReadOutcome outcome);
  void Fail(const ReadJob& job, Status status);

  EngineOptions options_;
  memory::Arena& arena_;
  ReadSink& sink_;
  UniqueFd timer_;
  UniqueFd epoll_;
  IoThreads threads_;
  VolumeTable table_;
  VerifiedNeedles verified_;
  MemoryTurns memory_;
  // Jobs on an I/O thread, or waiting. Held here too: a lease must die on this thread.
  std::unordered_map<ReadJob*, std::shared_ptr<ReadJob>> pending_;
  std::map<RecordKey, std::vector<std::shared_ptr<ReadJob>>>
      verifying_;  // who waits for whose verification
  uint64_t reads_cached_ = 0;
  uint64_t reads_disk_ = 0;
  uint64_t corrupt_ = 0;
};

DiskEngine::DiskEngine(const EngineOptions& options, memory::Arena& arena, ReadSink& sink)
    : options_(options),
      arena_(arena),
      sink_(sink),
      timer_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      threads_(options.io_threads),
      table_(options, threads_),
      verified_(options.verified_needles_max),
      memory_(arena, options.memory_wait_ns) {
  CHECK(timer_ && epoll_);
  const itimerspec each{.it_interval = {kSweepSeconds, 0}, .it_value = {kSweepSeconds, 0}};
  CHECK(timerfd_settime(timer_.get(), 0, &each, nullptr) == 0);
  for (const int fd : {timer_.get(), threads_.event_fd()}) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0);
  }
  table_.Sweep();
}

DiskEngine::~DiskEngine() {
  threads_.Stop();
  for (auto& [raw, job] : pending_) sink_.OnRead(job->token(), job->Failure(Status::closed));
}

void DiskEngine::Read(uint64_t token, const ReadCommand& command) {
  ReadPlace place{};
  const Status status = Find(command, place);
  if (status != Status::ok) {
    ReadResult result{};
    result.header.epoch = place.epoch;
    result.header.position = place.position;
    result.header.status = static_cast<uint16_t>(status);
    sink_.OnRead(token, std::move(result));
    return;
  }
  const auto verified = verified_.Find(place.epoch, place.offset);
  Drive(ReadJob(token, command, std::move(place), verified));
}

// The order of the volume server's own checks, as far as the index decides.
Status DiskEngine::Find(const ReadCommand& command, ReadPlace& place) {
  if (pending_.size() >= options_.requests_max) return Status::overload;
  if (protocol::NowNs() >= command.deadline_ns) return Status::deadline;
  const auto [status, volume] = table_.Open(command.volume_id);
  if (status != Status::ok) return status;
  place.epoch = volume->epoch;
  place.position = volume->applied;
  const auto found = volume->map.Find(command.needle_id);
  if (!found) return Status::not_found;
  if (found->size < 0) return Status::deleted;
  if (found->size == 0) return Status::empty;
  place.files = volume->files;
  place.offset = found->offset_units * storage::kOffsetUnitBytes;
  place.size = static_cast<uint32_t>(found->size);
  place.offset_bytes = volume->info.offset_bytes;
  place.version = volume->superblock.version;
  if (place.version == 1 && place.size > kVersion1BytesMax) return Status::unsupported_volume;
  return Status::ok;
}

// A job that the page cache serves lives on the stack from beginning to end.
void DiskEngine::Drive(ReadJob&& job) {
  for (;;) {
    if (const uint64_t bytes = job.WantedBytes(); bytes > 0) {
      memory::Lease lease = memory_.Take(bytes, job.share());
      if (!lease) return WaitForMemory(std::move(job));
      job.Provide(std::move(lease));
    }
    std::optional<ReadOutcome> piece;
    while (!piece) piece = job.Run(Blocking::kNo);
    const ReadOutcome outcome = *piece;
    if (outcome == ReadOutcome::kWouldBlock || outcome == ReadOutcome::kCannotTell) {
      return PostRun(std::make_shared<ReadJob>(std::move(job)));
    }
    if (!Continue(job, outcome)) {
      reads_cached_++;
      return;
    }
  }
}

void DiskEngine::WaitForMemory(ReadJob&& job) {
  if (!memory_.MayWait(job)) return Fail(job, Status::no_slab);
  const auto waiting = std::make_shared<ReadJob>(std::move(job));
  pending_.emplace(waiting.get(), waiting);
  memory_.Add(waiting, protocol::NowNs());
}

bool DiskEngine::GoOn(uint64_t now_ns) {
  const MemoryTurns::Due due = memory_.Look(now_ns);
  for (const std::shared_ptr<ReadJob>& job : due.late) {
    pending_.erase(job.get());
    Fail(*job, now_ns >= job->deadline_ns() ? Status::deadline : Status::no_slab);
  }
  for (const std::shared_ptr<ReadJob>& job : due.ready) {
    pending_.erase(job.get());
    Drive(std::move(*job));
  }
  return !due.ready.empty() || !due.late.empty();
}

void DiskEngine::PostRun(const std::shared_ptr<ReadJob>& job) {
  pending_.emplace(job.get(), job);
  // Many ranges of one cold needle wait for one verification.
  const bool is_verifying = job->is_verifying();
  const RecordKey key{job->place().epoch, job->place().offset};
  if (is_verifying) {
    const auto [waiting, is_first] = verifying_.try_emplace(key);
    if (!is_first) return waiting->second.push_back(job);
  }
  const IoTurn turn{.flow = job->share(), .is_short = job->is_short()};
  threads_.Post(
      [this, job, is_verifying, key]() -> IoThreads::Completion {
        const bool is_late = protocol::NowNs() >= job->deadline_ns();
        const auto ran = is_late ? ReadOutcome::kFailed : job->Run(Blocking::kYes);
        if (!ran) return nullptr;
        return [this, job, outcome = *ran, is_verifying, key] {
          const auto checksum = job->newly_verified();
          FinishRun(job, outcome);
          if (is_verifying) WakeWaiting(key, checksum);
        };
      },
      turn);
}

void DiskEngine::FinishRun(const std::shared_ptr<ReadJob>& job, ReadOutcome outcome) {
  pending_.erase(job.get());
  if (Continue(*job, outcome)) {
    Drive(std::move(*job));
  } else {
    reads_disk_++;
  }
}

// Without a checksum the verification failed or ran into its own deadline: the others try
// themselves.
void DiskEngine::WakeWaiting(const RecordKey& key, std::optional<uint32_t> checksum) {
  auto waiting = verifying_.extract(key);
  for (const std::shared_ptr<ReadJob>& job : waiting.mapped()) {
    pending_.erase(job.get());
    if (protocol::NowNs() >= job->deadline_ns()) {
      Fail(*job, Status::deadline);
      continue;
    }
    if (checksum) job->AdoptVerified(*checksum);
    Drive(std::move(*job));
  }
}

// True when the job has another step.
bool DiskEngine::Continue(ReadJob& job, ReadOutcome outcome) {
  const auto status = job.Accept(outcome);
  if (!status) return true;
  if (const auto checksum = job.newly_verified(); checksum && *status == Status::ok) {
    verified_.Add(job.place().epoch, job.place().offset, *checksum);
  }
  if (*status == Status::ok) {
    sink_.OnRead(job.token(), job.TakeResult(arena_));
  } else {
    Fail(job, *status);
  }
  return false;
}

void DiskEngine::Fail(const ReadJob& job, Status status) {
  if (status == Status::corrupt) corrupt_++;
  sink_.OnRead(job.token(), job.Failure(status));
}

ValidateResult DiskEngine::Validate(const protocol::ValidateItem& item) {
  ValidateResult result{};
  result.row.volume_id = item.volume_id;
  const auto say = [&](Verdict verdict) { result.row.verdict = static_cast<uint16_t>(verdict); };
  const auto [status, volume] = table_.Open(item.volume_id);
  if (status != Status::ok) {
    const bool is_gone = status == Status::unknown_volume || status == Status::unsupported_volume;
    say(is_gone ? Verdict::gone : Verdict::unconfirmed);
    return result;
  }
  result.row.epoch = volume->epoch;
  result.row.position = volume->applied;
  auto ids = item.epoch == volume->epoch ? ChangedSince(*volume, item.position) : std::nullopt;
  say(ids ? Verdict::changed : Verdict::flush);
  if (ids) result.ids = std::move(*ids);
  result.row.id_count = static_cast<uint32_t>(result.ids.size());
  return result;
}

void DiskEngine::Confirm(uint64_t started_ns, std::span<const ServedVolume> served) {
  table_.Confirm(started_ns, served);
}

void DiskEngine::Poll() {
  uint64_t ticks;
  const bool is_tick = read(timer_.get(), &ticks, sizeof ticks) > 0;
  if (is_tick) table_.Sweep();
  threads_.RunCompletions();
  // A confirmation that ran out shows at the tick.
  if (is_tick || table_.is_list_stale()) table_.Relist();
}

EngineStats DiskEngine::stats() const {
  EngineStats stats{};
  table_.AddTo(stats);
  stats.reads_cached = reads_cached_;
  stats.reads_disk = reads_disk_;
  stats.reads_in_flight = pending_.size();
  stats.reads_waiting = memory_.waiting_count();
  stats.corrupt = corrupt_;
  return stats;
}

}  // namespace

std::unique_ptr<Engine> Engine::Create(const EngineOptions& options, memory::Arena& arena,
                                       ReadSink& sink, std::string& error) {
  if (options.dirs.empty()) {
    error = "no directory was given";
    return nullptr;
  }
  if (options.idx_dirs.size() > 1 && options.idx_dirs.size() != options.dirs.size()) {
    error = "idx_dirs must be empty, one for all, or one for each of dirs";
    return nullptr;
  }
  for (const auto& dirs : {options.dirs, options.idx_dirs}) {
    for (const std::string& dir : dirs) {
      DIR* handle = opendir(dir.c_str());
      if (handle == nullptr) {
        error = dir + ": " + std::strerror(errno);
        return nullptr;
      }
      closedir(handle);
    }
  }
  return std::make_unique<DiskEngine>(options, arena, sink);
}

}  // namespace engine
