#include "engine/volume_table.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <tuple>
#include <utility>

#include "engine/idx_tail.h"
#include "protocol/clock.h"

namespace engine {
namespace {

using protocol::Status;
using storage::Volume;

constexpr uint64_t kInlineRowsMax = 4096;       // more new rows are applied on an I/O thread
constexpr uint64_t kRetryAfterNs = 20'000'000;  // between loads of a volume that is being vacuumed
constexpr uint64_t kConfirmedIntervals = 2;
constexpr uint64_t kScanSpacingNs = 100'000'000;  // between scans that requests cause, at least

bool IsSame(const AnnouncedVolume& a, const AnnouncedVolume& b) {
  return std::tie(a.volume_id, a.version, a.confirmed, a.collection) ==
         std::tie(b.volume_id, b.version, b.confirmed, b.collection);
}

// All zero while our map holds needles is what a volume looks like that a failed vacuum commit
// closed.
bool LooksClosed(const ServedVolume& served) {
  return served.size_bytes == 0 && served.file_count == 0 && served.modified_at_s == 0;
}

}  // namespace

VolumeTable::VolumeTable(const EngineOptions& options, IoThreads& threads)
    : options_(options), threads_(threads) {}

VolumeTable::Access VolumeTable::Open(uint32_t volume_id) {
  const auto found = states_.find(volume_id);
  const bool is_known = found != states_.end();
  const bool is_wanted = options_.unconfirmed ? !is_known : !served_.contains(volume_id);
  if (is_wanted) Want();
  if (is_known) return OpenKnown(found);
  return {was_scanned_ ? Status::unknown_volume : Status::volume_unconfirmed, nullptr};
}

// A client that asks for an unlisted volume has seen it written to, or knows more than the last
// poll: without a volume server to ask, the directories are looked at.
void VolumeTable::Want() {
  const uint64_t now_ns = protocol::NowNs();
  if (!options_.unconfirmed) {
    wanted_ns_ = now_ns;
  } else if (now_ns - scanned_ns_ >= kScanSpacingNs) {
    Sweep();
  }
}

bool VolumeTable::TakePollWanted() {
  if (wanted_ns_ == 0) return false;
  return !std::exchange(was_want_taken_, true);
}

VolumeTable::Access VolumeTable::OpenKnown(States::iterator found) {
  const uint32_t volume_id = found->first;
  State& state = found->second;
  const uint64_t now_ns = protocol::NowNs();
  switch (state.phase) {
    case Phase::kLoading:
    case Phase::kCatchingUp:
      return {Status::volume_unconfirmed, nullptr};
    case Phase::kUnsupported:
      return {Status::unsupported_volume, nullptr};
    case Phase::kUnsettled:
      if (now_ns - state.tried_ns > kRetryAfterNs) StartLoad(volume_id, state);
      return {Status::volume_unconfirmed, nullptr};
    case Phase::kReady:
      break;
  }
  if (const Status status = Refresh(found); status != Status::ok) return {status, nullptr};
  if (!IsConfirmed(volume_id, state.volume->map.live_count(), now_ns)) {
    // The row of a volume that was made before its first needle was written looks so, too: one poll
    // after that tells.
    const auto served = served_.find(volume_id);
    if (served != served_.end() && LooksClosed(served->second)) {
      if (state.unconfirmed_ns == 0) state.unconfirmed_ns = now_ns;
      if (poll_started_ns_ < state.unconfirmed_ns) Want();
    }
    return {Status::volume_unconfirmed, nullptr};
  }
  state.unconfirmed_ns = 0;
  return {Status::ok, state.volume.get()};
}

// The one look at the disk that linearizability rests on: by path, after the request arrived.
Status VolumeTable::Refresh(States::iterator found) {
  State& state = found->second;
  Volume& volume = *state.volume;
  struct stat idx{};
  if (stat(state.idx_path.c_str(), &idx) != 0) {
    if (errno != ENOENT && errno != ENOTDIR) return Status::io_error;
    Erase(found);
    Relist();
    return Status::unknown_volume;
  }
  const auto idx_bytes = static_cast<uint64_t>(idx.st_size);
  if (storage::FileIdOf(idx) != volume.idx_id || idx_bytes < volume.applied) {
    StartLoad(found->first, state);
    return Status::volume_unconfirmed;
  }
  const uint64_t new_rows = (idx_bytes - volume.applied) / volume.row_bytes();
  if (new_rows == 0) return Status::ok;
  if (new_rows <= kInlineRowsMax && ApplyTail(volume, idx_bytes, storage::Blocking::kNo))
    return Status::ok;
  StartCatchUp(found->first, state);
  return Status::volume_unconfirmed;
}

// The old generation is given back on the I/O thread too: that takes its map's million small frees
// off this one.
void VolumeTable::StartLoad(uint32_t volume_id, State& state) {
  state.phase = Phase::kLoading;
  state.is_load_due = false;
  state.ticket = ++last_ticket_;
  state.tried_ns = protocol::NowNs();
  threads_.Post([this, volume_id, ticket = state.ticket, paths = state.paths,
                 old = std::move(state.volume)]() mutable -> IoThreads::Completion {
    old.reset();
    return [this, volume_id, ticket, result = Volume::Load(paths)]() mutable {
      FinishLoad(volume_id, ticket, std::move(result));
    };
  });
}

void VolumeTable::FinishLoad(uint32_t volume_id, uint64_t ticket, LoadResult result) {
  State* state = StateOf(volume_id, ticket);
  if (state == nullptr) return;
  is_list_stale_ = true;
  state->is_without_descriptors =
      !result && result.error().failure == storage::LoadFailure::kNoDescriptors;
  if (result) {
    loads_++;
    state->volume = std::move(*result);
    state->phase = Phase::kReady;
    state->version = state->volume->superblock.version;
    return;
  }
  const bool is_final = result.error().failure == storage::LoadFailure::kUnsupported;
  state->phase = is_final ? Phase::kUnsupported : Phase::kUnsettled;
  if (is_final || result.error().failure == storage::LoadFailure::kMissing) state->version = 0;
  if (state->is_load_due) StartLoad(volume_id, *state);
}

void VolumeTable::StartCatchUp(uint32_t volume_id, State& state) {
  state.phase = Phase::kCatchingUp;
  state.live_count = state.volume->map.live_count();
  state.ticket = ++last_ticket_;
  threads_.Post([this, volume_id, ticket = state.ticket,
                 volume = std::move(state.volume)]() mutable -> IoThreads::Completion {
    struct stat idx{};
    const bool is_known = fstat(volume->files->idx.get(), &idx) == 0;
    const auto idx_bytes = static_cast<uint64_t>(idx.st_size);
    if (!is_known || !ApplyTail(*volume, idx_bytes, storage::Blocking::kYes)) volume.reset();
    return [this, volume_id, ticket, volume = std::move(volume)]() mutable {
      FinishCatchUp(volume_id, ticket, std::move(volume));
    };
  });
}

void VolumeTable::FinishCatchUp(uint32_t volume_id, uint64_t ticket,
                                std::unique_ptr<Volume> volume) {
  State* state = StateOf(volume_id, ticket);
  if (state == nullptr) return;
  if (!volume) {
    StartLoad(volume_id, *state);
    return;
  }
  state->volume = std::move(volume);
  state->phase = Phase::kReady;
}

void VolumeTable::Sweep() {
  if (is_scanning_) return;
  is_scanning_ = true;
  is_scan_due_ = false;
  scanned_ns_ = protocol::NowNs();
  threads_.Post(
      [this, dirs = options_.dirs, idx_dirs = options_.idx_dirs]() -> IoThreads::Completion {
        return [this, found = storage::ScanDirectories(dirs, idx_dirs)]() mutable {
          is_scanning_ = false;
          // Without a list nothing is known to be gone.
          if (found) Reconcile(std::move(*found));
          if (is_scan_due_) Sweep();
        };
      });
}

void VolumeTable::Reconcile(std::vector<storage::FoundVolume> found) {
  was_scanned_ = true;
  is_list_stale_ = true;
  for (const storage::FoundVolume& volume : found) ReconcileOne(volume);
  for (auto state = states_.begin(); state != states_.end();) {
    const bool is_there = std::ranges::binary_search(
        found, state->first, {}, [](const auto& volume) { return volume.paths.volume_id; });
    state = is_there ? std::next(state) : Erase(state);
  }
}

void VolumeTable::ReconcileOne(const storage::FoundVolume& found) {
  const auto [entry, is_new] = states_.try_emplace(found.paths.volume_id);
  State& state = entry->second;
  const bool is_changed = std::exchange(state.fingerprint, found.fingerprint) != found.fingerprint;
  if (is_new || state.paths != found.paths) {
    state.paths = found.paths;
    state.idx_path = found.paths.idx();
    state.version = 0;
    StartLoad(entry->first, state);
    return;
  }
  switch (state.phase) {
    case Phase::kLoading:
    case Phase::kCatchingUp:
      return;
    case Phase::kUnsettled:
      StartLoad(entry->first, state);
      return;
    case Phase::kUnsupported:
      if (is_changed) StartLoad(entry->first, state);
      return;
    case Phase::kReady:
      break;
  }
  // Closes the descriptors of a generation that no path names, also when no client asks for the
  // volume.
  if (found.idx != state.volume->idx_id || found.dat != state.volume->dat_id) {
    StartLoad(entry->first, state);
  }
}

VolumeTable::States::iterator VolumeTable::Erase(States::iterator found) {
  is_list_stale_ = true;
  if (found->second.volume) {
    threads_.Post([old = std::move(found->second.volume)]() mutable -> IoThreads::Completion {
      old.reset();
      return [] {};
    });
  }
  return states_.erase(found);
}

VolumeTable::State* VolumeTable::StateOf(uint32_t volume_id, uint64_t ticket) {
  const auto found = states_.find(volume_id);
  return found == states_.end() || found->second.ticket != ticket ? nullptr : &found->second;
}

void VolumeTable::Confirm(uint64_t started_ns, std::span<const ServedVolume> served) {
  was_polled_ = true;
  poll_started_ns_ = started_ns;
  // The poll may have missed a volume that was asked for after it had started.
  if (wanted_ns_ <= started_ns) wanted_ns_ = 0;
  was_want_taken_ = false;
  TakeUp(served);
  served_.clear();
  for (const ServedVolume& volume : served) served_[volume.volume_id] = volume;
  Relist();
}

// The volume server lists a volume when its files are complete. A list that lacks nothing new
// causes no scan, so that volumes in other directories cost none either.
void VolumeTable::TakeUp(std::span<const ServedVolume> served) {
  bool is_missing = false;
  for (const ServedVolume& volume : served) {
    if (served_.contains(volume.volume_id)) continue;
    const auto found = states_.find(volume.volume_id);
    if (found == states_.end()) {
      is_missing = true;
      continue;
    }
    // Looked at while it was being made or copied.
    State& state = found->second;
    if (state.phase == Phase::kUnsettled || state.phase == Phase::kUnsupported) {
      StartLoad(found->first, state);
    } else if (state.phase == Phase::kLoading) {
      state.is_load_due = true;
    }
  }
  if (!is_missing) return;
  is_scan_due_ = is_scanning_;
  Sweep();
}

bool VolumeTable::IsConfirmed(uint32_t volume_id, uint64_t live_count, uint64_t now_ns) const {
  if (options_.unconfirmed) return true;
  const uint64_t lasts_ns = kConfirmedIntervals * options_.confirm_interval_ns;
  if (!was_polled_ || now_ns > poll_started_ns_ + lasts_ns) return false;
  const auto found = served_.find(volume_id);
  if (found == served_.end()) return false;
  return !LooksClosed(found->second) || live_count == 0;
}

void VolumeTable::Relist() {
  is_list_stale_ = false;
  std::vector<AnnouncedVolume> list;
  const uint64_t now_ns = protocol::NowNs();
  for (const auto& [id, state] : states_) {
    const uint64_t live_count = state.volume ? state.volume->map.live_count() : state.live_count;
    const bool is_confirmed = state.version != 0 && IsConfirmed(id, live_count, now_ns);
    list.push_back({id, state.version, is_confirmed, state.paths.collection});
  }
  std::ranges::sort(list, {}, &AnnouncedVolume::volume_id);
  if (std::ranges::equal(list, list_, IsSame)) return;
  list_ = std::move(list);
  generation_++;
}

void VolumeTable::AddTo(EngineStats& stats) const {
  for (const auto& [id, state] : states_) {
    stats.volumes_without_descriptors += state.is_without_descriptors ? 1 : 0;
    if (!state.volume) continue;
    stats.volumes_loaded++;
    stats.needles += state.volume->map.live_count();
    stats.map_bytes += state.volume->map.bytes();
  }
  for (const AnnouncedVolume& info : list_) stats.volumes_confirmed += info.confirmed ? 1 : 0;
  stats.reloads = loads_;
}

}  // namespace engine
