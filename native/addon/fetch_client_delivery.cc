// From the client's completions to JavaScript: entries of the ring, one call for each ring full.
#include <algorithm>
#include <cstring>
#include <utility>

#include "addon/convert.h"
#include "addon/fetch_client.h"
#include "memory/check.h"

namespace addon {
namespace {

constexpr double kNsPerMs = 1e6;
constexpr double kNsPerUs = 1e3;

void AppendVerdicts(std::vector<std::byte>& list, const client::ValidateCompletion& completion) {
  const auto append = [&list](const void* data, size_t bytes) {
    const std::byte* first = static_cast<const std::byte*>(data);
    list.insert(list.end(), first, first + bytes);
  };
  for (const client::ValidateVerdict& verdict : completion.verdicts) {
    protocol::ValidateRow row = verdict.row;
    row.id_count = static_cast<uint32_t>(verdict.ids.size());
    append(&row, sizeof(row));
    append(verdict.ids.data(), verdict.ids.size() * sizeof(uint64_t));
  }
}

void PutChange(napi_env env, Record& record, const client::TargetEvent& event) {
  record.Put("volumeId", static_cast<double>(event.change.volume_id));
  record.PutBigInt("epoch", event.change.epoch);
  record.PutBigInt("from", event.change.from);
  record.PutBigInt("to", event.change.to);
  record.Put("verdict", static_cast<double>(event.change.verdict));
  void* data = nullptr;
  napi_value ids = nullptr;
  const size_t bytes = event.ids.size() * sizeof(uint64_t);
  if (napi_create_arraybuffer(env, bytes, &data, &ids) != napi_ok) return;
  if (bytes > 0) std::memcpy(data, event.ids.data(), bytes);
  record.Put("ids", ids);
}

napi_value EventObject(napi_env env, const client::TargetEvent& event) {
  Record record(env);
  record.Put("target", static_cast<double>(event.target));
  switch (event.kind) {
    case client::TargetEvent::Kind::kUp:
      record.Put("kind", "up");
      record.Put("transport", event.transport);
      record.PutBigInt("sessionId", event.session_id);
      break;
    case client::TargetEvent::Kind::kDown:
      record.Put("kind", "down");
      record.Put("status", static_cast<double>(event.status));
      record.Put("detail", event.detail);
      break;
    case client::TargetEvent::Kind::kVolumes:
      record.Put("kind", "volumes");
      record.Put("volumes", VolumesArray(env, event.volumes));
      break;
    case client::TargetEvent::Kind::kChanged:
      record.Put("kind", "changed");
      PutChange(env, record, event);
      break;
  }
  return record.value();
}

napi_value EventArray(napi_env env, const std::vector<client::TargetEvent>& events) {
  napi_value array = nullptr;
  if (events.empty()) {
    napi_get_undefined(env, &array);
    return array;
  }
  napi_create_array_with_length(env, events.size(), &array);
  for (uint32_t i = 0; i < events.size(); ++i) {
    napi_set_element(env, array, i, EventObject(env, events[i]));
  }
  return array;
}

Entry PongEntry(const client::PongCompletion& completion) {
  Entry entry{};
  entry.kind = EntryKind::kPong;
  entry.status = static_cast<uint32_t>(completion.status);
  entry.rows = completion.pong.requests_in_flight;
  entry.sessions = completion.pong.sessions;
  entry.payload_offset = static_cast<double>(completion.round_trip_ns) / kNsPerUs;
  entry.data_bytes_total = static_cast<double>(completion.pong.arena_bytes);
  entry.data_offset = static_cast<double>(completion.pong.arena_bytes_used);
  return entry;
}

}  // namespace

bool FetchClient::Deliver() {
  if (client_ == nullptr || is_tearing_) return false;
  client_->Take(batch_);
  if (batch_.empty()) return false;
  DeliverBatch();
  return true;
}

void FetchClient::DeliverBatch() {
  const Scope scope(env_);
  size_t count = 0;
  std::vector<std::byte> verdicts;
  const auto add = [&](uint64_t request_id, Entry entry) {
    const std::optional<uint32_t> ticket = tickets_.Take(request_id);
    if (!ticket) return;
    entry.ticket = *ticket;
    ring_[count++] = entry;
    if (count < kRingEntries) return;
    Flush(count, verdicts, EventArray(env_, {}));
    count = 0;
    verdicts.clear();
  };
  for (client::ReadCompletion& completion : batch_.reads) {
    Entry entry{};
    FillRead(entry, completion);
    add(completion.request_id, entry);
  }
  for (const client::ValidateCompletion& completion : batch_.validations) {
    Entry entry{};
    entry.kind = EntryKind::kValidate;
    entry.status = static_cast<uint32_t>(completion.status);
    entry.rows = static_cast<uint32_t>(completion.verdicts.size());
    AppendVerdicts(verdicts, completion);
    add(completion.request_id, entry);
  }
  for (const client::PongCompletion& completion : batch_.pongs)
    add(completion.request_id, PongEntry(completion));
  const napi_value events = EventArray(env_, batch_.events);
  batch_.reads.clear();
  batch_.validations.clear();
  batch_.pongs.clear();
  batch_.events.clear();
  Flush(count, verdicts, events);
  UpdateKeepAlive();
}

void FetchClient::FillRead(Entry& entry, client::ReadCompletion& completion) {
  const protocol::ReadReply& reply = completion.reply;
  entry.kind = EntryKind::kRead;
  entry.status = static_cast<uint32_t>(completion.status);
  if (completion.status != protocol::Status::ok) return;
  const uint64_t payload_bytes =
      reply.data_length + reply.name_bytes + reply.mime_bytes + reply.pairs_bytes;
  // Bytes past the lease belong to another needle: JavaScript must not read them.
  const uint64_t lease_bytes = completion.lease ? completion.lease.bytes().size() : 0;
  CHECK(completion.payload_offset <= lease_bytes &&
        payload_bytes <= lease_bytes - completion.payload_offset);

  entry.checksum = completion.checksum;
  entry.index_bytes = reply.index_bytes;
  entry.pairs_bytes = reply.pairs_bytes;
  entry.name_bytes = reply.name_bytes;
  entry.mime_bytes = reply.mime_bytes;
  entry.needle_flags = reply.needle_flags;
  entry.volume_version = reply.volume_version;
  entry.reply_flags = reply.reply_flags;
  entry.data_bytes_total = static_cast<double>(reply.data_bytes_total);
  entry.data_offset = static_cast<double>(reply.data_offset);
  entry.data_bytes = static_cast<double>(reply.data_length);
  entry.last_modified_s = static_cast<double>(reply.last_modified_s);
  entry.ttl_left_ms = static_cast<double>(reply.ttl_left_ns) / kNsPerMs;
  entry.epoch = reply.epoch;
  entry.position = reply.position;
  entry.append_at_ns = reply.append_at_ns;
  if (!completion.lease) return;
  entry.payload_offset = static_cast<double>(completion.lease.offset() + completion.payload_offset);
  entry.lease = holder_->leases.Put(std::move(completion.lease));
  if (entry.lease == 0) entry.status = static_cast<uint32_t>(protocol::Status::no_slab);
}

void FetchClient::Flush(size_t count, const std::vector<std::byte>& verdicts, napi_value events) {
  const Scope scope(env_);
  napi_value arguments[3] = {};
  napi_create_uint32(env_, static_cast<uint32_t>(count), &arguments[0]);
  napi_get_undefined(env_, &arguments[1]);
  arguments[2] = events;
  if (!verdicts.empty()) {
    void* data = nullptr;
    napi_create_arraybuffer(env_, verdicts.size(), &data, &arguments[1]);
    std::memcpy(data, verdicts.data(), verdicts.size());
  }
  on_batch_->Call(arguments);
}

/// Delivers the completions that the client wrote when it was destroyed.
void FetchClient::DeliverRest() {
  const Scope scope(env_);
  size_t count = 0;
  while (const std::optional<uint32_t> ticket = tickets_.TakeAny()) {
    Entry entry{};
    entry.kind = EntryKind::kRead;
    entry.ticket = *ticket;
    entry.status = static_cast<uint32_t>(protocol::Status::closed);
    ring_[count++] = entry;
    if (count < kRingEntries) continue;
    Flush(count, {}, EventArray(env_, {}));
    count = 0;
  }
  if (count > 0) Flush(count, {}, EventArray(env_, {}));
}

}  // namespace addon
