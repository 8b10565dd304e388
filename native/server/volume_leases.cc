#include "server/volume_leases.h"

#include <algorithm>

#include "server/lists.h"

namespace server {
namespace {

using protocol::Verdict;

bool Is(Verdict verdict, uint16_t number) { return static_cast<uint16_t>(verdict) == number; }

}  // namespace

bool VolumeLeases::Grant(uint64_t session_id, const protocol::ValidateItem& item,
                         const protocol::ValidateRow& row, uint64_t until_ns) {
  const bool is_changed = Is(Verdict::changed, row.verdict);
  if (!is_changed && !Is(Verdict::flush, row.verdict)) return false;
  Holders& holders = volumes_[item.volume_id];
  const auto held = std::ranges::find(holders, session_id, &Holder::session_id);
  if (held != holders.end()) {
    // Another generation: the next look ends this lease first, since the answer may get lost.
    if (held->is_ending || held->epoch != row.epoch) return false;
    if (is_changed) held->told = std::max(held->told, item.position);
    held->until_ns = std::max(held->until_ns, until_ns);
    return true;
  }
  Tally& tally = sessions_[session_id];
  if (tally.leases >= kVolumeLeasesMax) {
    if (holders.empty()) volumes_.erase(item.volume_id);
    return false;
  }
  ++tally.leases;
  ++count_;
  holders.push_back({.session_id = session_id,
                     .epoch = row.epoch,
                     .told = is_changed ? item.position : row.position,
                     .until_ns = until_ns,
                     .is_sending = false,
                     .is_ending = false});
  return true;
}

void VolumeLeases::Look(uint64_t now_ns, const Validate& validate,
                        std::vector<VolumeChange>& changes) {
  auto at = volumes_.lower_bound(next_volume_id_);
  size_t looks = 0;
  for (size_t left = volumes_.size(); left > 0 && looks < kLooksMax; --left) {
    if (at == volumes_.end()) at = volumes_.begin();
    looks += LookAt(at->first, at->second, now_ns, validate, changes);
    at = at->second.empty() ? volumes_.erase(at) : std::next(at);
  }
  next_volume_id_ = at == volumes_.end() ? 0 : at->first;
}

size_t VolumeLeases::LookAt(uint32_t volume_id, Holders& holders, uint64_t now_ns,
                            const Validate& validate, std::vector<VolumeChange>& changes) {
  // One whose change is on its way stays: its successor must not be told meanwhile.
  Forget(holders,
         [now_ns](const Holder& holder) { return holder.until_ns < now_ns && !holder.is_sending; });
  findings_.clear();
  for (Holder& holder : holders) {
    Tally& tally = sessions_[holder.session_id];
    if (holder.is_sending || tally.in_flight >= kChangesInFlightMax) continue;
    const Finding& finding = Find(volume_id, holder, validate);
    if (!finding.is_end && finding.header.to == holder.told) continue;
    changes.push_back({holder.session_id, finding.header, finding.ids});
    holder.is_sending = true;
    holder.is_ending = finding.is_end;
    holder.told = finding.header.to;
    ++tally.in_flight;
  }
  return findings_.size();
}

const VolumeLeases::Finding& VolumeLeases::Find(uint32_t volume_id, const Holder& holder,
                                                const Validate& validate) {
  const auto known = std::ranges::find_if(findings_, [&holder](const Finding& finding) {
    return finding.epoch == holder.epoch && finding.told == holder.told;
  });
  if (known != findings_.end()) return *known;

  const protocol::ValidateItem item{
      .epoch = holder.epoch, .position = holder.told, .volume_id = volume_id, .reserved = 0};
  engine::ValidateResult result = validate(item);
  size_t ids_count = 0;
  LimitIds(result, ids_count);
  protocol::Changed header{};
  header.epoch = result.row.epoch;
  header.from = holder.told;
  header.to = result.row.position;
  header.volume_id = volume_id;
  header.id_count = result.row.id_count;
  header.verdict = result.row.verdict;
  const auto bytes = std::as_bytes(std::span(result.ids));
  findings_.push_back({holder.epoch, holder.told, header,
                       std::make_shared<const std::vector<std::byte>>(bytes.begin(), bytes.end()),
                       !Is(Verdict::changed, header.verdict)});
  return findings_.back();
}

void VolumeLeases::OnSent(uint64_t session_id, uint32_t volume_id) {
  const auto session = sessions_.find(session_id);
  const auto volume = volumes_.find(volume_id);
  if (session == sessions_.end() || volume == volumes_.end()) return;
  Holders& holders = volume->second;
  const auto holder = std::ranges::find(holders, session_id, &Holder::session_id);
  if (holder == holders.end() || !holder->is_sending) return;
  holder->is_sending = false;
  --session->second.in_flight;
  if (!holder->is_ending) return;
  Forget(holders, [session_id](const Holder& one) { return one.session_id == session_id; });
  if (holders.empty()) volumes_.erase(volume);
}

void VolumeLeases::EndSession(uint64_t session_id) {
  if (!sessions_.contains(session_id)) return;
  for (auto volume = volumes_.begin(); volume != volumes_.end();) {
    Forget(volume->second,
           [session_id](const Holder& holder) { return holder.session_id == session_id; });
    volume = volume->second.empty() ? volumes_.erase(volume) : std::next(volume);
  }
  sessions_.erase(session_id);
}

template <typename Predicate>
void VolumeLeases::Forget(Holders& holders, Predicate&& is_over) {
  count_ -= static_cast<uint32_t>(std::erase_if(holders, [&](const Holder& holder) {
    if (!is_over(holder)) return false;
    --sessions_[holder.session_id].leases;
    return true;
  }));
}

}  // namespace server
