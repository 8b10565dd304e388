// Handles the messages of a target that is up: its lists and the answers. See
// session_client_impl.h and wire.h.
#include <algorithm>

#include "client/completion_check.h"
#include "client/session_client_impl.h"
#include "protocol/clock.h"
#include "protocol/decode.h"
#include "ucx/status.h"

namespace client {
namespace {

using protocol::MessageId;
using protocol::Status;
constexpr uint32_t kVolumePagesMax = 1024;

std::span<const std::byte> Bytes(const void* data, size_t bytes) {
  return {static_cast<const std::byte*>(data), bytes};
}

/// The list that follows a VALIDATE's answer; protocol_error when it is not what was asked for.
std::expected<std::vector<ValidateVerdict>, Status> DecodeVerdicts(std::span<const std::byte> list,
                                                                   uint32_t count,
                                                                   bool is_lease_asked) {
  protocol::ListReader reader(list);
  std::vector<ValidateVerdict> verdicts;
  verdicts.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    const auto row = reader.Take<protocol::ValidateRow>();
    const bool is_expected = row && (is_lease_asked || (row->flags & protocol::kLeased) == 0);
    if (!is_expected) return std::unexpected(Status::protocol_error);
    auto ids = reader.TakeIds(row->id_count);
    if (!ids) return std::unexpected(Status::protocol_error);
    verdicts.push_back({*row, std::move(*ids)});
  }
  if (!reader.empty()) return std::unexpected(Status::protocol_error);
  return verdicts;
}

}  // namespace

TargetConnection* SessionClient::FindConnection(const ucp_am_recv_param_t& param) {
  if ((param.recv_attr & UCP_AM_RECV_ATTR_FIELD_REPLY_EP) == 0) return nullptr;
  const auto found = connections_by_endpoint_.find(param.reply_ep);
  return found == connections_by_endpoint_.end() || found->second->is_failed ? nullptr
                                                                             : found->second;
}

template <SessionClient::Handler handler>
ucs_status_t SessionClient::OnMessage(void* arg, const void* header, size_t header_bytes,
                                      void* data, size_t data_bytes,
                                      const ucp_am_recv_param_t* param) {
  SessionClient& self = *static_cast<SessionClient*>(arg);
  TargetConnection* const connection = self.FindConnection(*param);
  if (connection == nullptr) return UCS_OK;
  if ((param->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) != 0) {
    self.FailProtocol(*connection, "a list by rendezvous");
    return UCS_OK;
  }
  self.stats_.bytes_received += data_bytes;
  (self.*handler)({*connection, Bytes(header, header_bytes), Bytes(data, data_bytes)});
  return UCS_OK;
}

bool SessionClient::SetHandlers(ucx::Worker& worker, std::string& error) {
  struct Row {
    MessageId id;
    ucx::MessageHandler handler;
  };
  const Row rows[] = {
      {MessageId::challenge, &OnMessage<&SessionClient::OnChallenge>},
      {MessageId::welcome, &OnMessage<&SessionClient::OnWelcome>},
      {MessageId::refuse, &OnMessage<&SessionClient::OnRefuse>},
      {MessageId::volumes, &OnMessage<&SessionClient::OnVolumes>},
      {MessageId::validate_reply, &OnMessage<&SessionClient::OnValidateReply>},
      {MessageId::changed, &OnMessage<&SessionClient::OnChanged>},
      {MessageId::pong, &OnMessage<&SessionClient::OnPong>},
      {MessageId::goodbye, &OnMessage<&SessionClient::OnGoodbye>},
      {MessageId::read_reply, &SessionClient::OnReadReply},
  };
  for (const Row& row : rows) {
    if (worker.SetHandler(row.id, row.handler, this) == UCS_OK) continue;
    error = "ucp_worker_set_am_recv_handler failed";
    return false;
  }
  return true;
}

void SessionClient::OnVolumes(const Incoming& message) {
  TargetConnection& connection = message.connection;
  const auto page = protocol::Decode<protocol::Volumes>(message.header);
  if (connection.state == TargetConnection::State::kLeaving) return;
  const bool is_expected =
      connection.state == TargetConnection::State::kUp && page && page->pages <= kVolumePagesMax;
  if (!is_expected) return FailProtocol(connection, "VOLUMES");
  if (page->page == 0) {
    connection.pages.clear();
    connection.pages_received = 0;
    connection.pages_generation = page->generation;
    connection.pages_total = page->pages;
  }
  if (page->generation != connection.pages_generation || page->page != connection.pages_received ||
      page->pages != connection.pages_total) {
    return FailProtocol(connection, "VOLUMES out of order");
  }
  protocol::ListReader reader(message.data);
  for (uint32_t i = 0; i < page->row_count; ++i) {
    const auto row = reader.Take<protocol::VolumeRow>();
    if (!row) return FailProtocol(connection, "VOLUMES");
    const auto collection = reader.TakeText(row->collection_bytes);
    if (!collection) return FailProtocol(connection, "VOLUMES");
    connection.pages.push_back(
        {row->volume_id, row->version, row->flags == 1, std::string(*collection)});
  }
  if (!reader.empty()) return FailProtocol(connection, "VOLUMES");
  if (++connection.pages_received < connection.pages_total) return;
  connection.volumes = std::exchange(connection.pages, {});
  connection.pages_total = 0;
  connection.is_volumes_due = true;
  Note(connection);
}

ucs_status_t SessionClient::OnReadReply(void* arg, const void* header, size_t header_bytes,
                                        void* data, size_t data_bytes,
                                        const ucp_am_recv_param_t* param) {
  SessionClient& self = *static_cast<SessionClient*>(arg);
  TargetConnection* const connection = self.FindConnection(*param);
  if (connection == nullptr) return UCS_OK;
  // Late: nothing is received, the target's send completes.
  Request* const request = self.BeginRead(*connection, Bytes(header, header_bytes), data_bytes);
  if (request == nullptr) return UCS_OK;
  if ((param->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) != 0)
    return self.ReceiveByRendezvous(*request, data, data_bytes);
  std::memcpy(request->lease.bytes().data(), data, data_bytes);
  self.FinishRead(*request);
  return UCS_OK;
}

Request* SessionClient::BeginRead(TargetConnection& connection, std::span<const std::byte> header,
                                  uint64_t data_bytes) {
  const auto reply = protocol::Decode<protocol::ReadReply>(header);
  if (!reply) {
    FailProtocol(connection, "READ_REPLY");
    return nullptr;
  }
  stats_.bytes_received += data_bytes;
  Request* const request = FindRequest(connection, RequestKind::kRead, reply->request_id);
  if (request == nullptr) return nullptr;
  const auto checked = CheckReadReply(request->read, *reply, data_bytes);
  if (!checked) {
    if (checked.error() == Status::protocol_error) FailProtocol(connection, "READ_REPLY");
    Complete(*request, checked.error());
    return nullptr;
  }
  request->reply = *reply;
  if (data_bytes == 0) {
    FinishRead(*request);
    return nullptr;
  }
  request->lease = arena_.Allocate(data_bytes);
  if (request->lease) return request;
  Complete(*request, Status::no_slab);
  return nullptr;
}

void SessionClient::OnMessage(void* peer, MessageId id, std::span<const std::byte> header,
                              std::span<const std::byte> data) {
  auto& connection = *static_cast<TargetConnection*>(peer);
  if (connection.is_failed) return;
  const Incoming message{connection, header, data};
  if (id != MessageId::read_reply) stats_.bytes_received += data.size();
  switch (id) {
    case MessageId::challenge:
      return OnChallenge(message);
    case MessageId::welcome:
      return OnWelcome(message);
    case MessageId::refuse:
      return OnRefuse(message);
    case MessageId::volumes:
      return OnVolumes(message);
    case MessageId::validate_reply:
      return OnValidateReply(message);
    case MessageId::changed:
      return OnChanged(message);
    case MessageId::pong:
      return OnPong(message);
    case MessageId::goodbye:
      return OnGoodbye(message);
    case MessageId::read_reply:
      return (void)BeginRead(connection, header, 0);
    default:
      return FailProtocol(connection, "message of a proxy");
  }
}

std::optional<fabric::Landing> SessionClient::OnReply(void* peer, std::span<const std::byte> header,
                                                      uint64_t data_bytes) {
  auto& connection = *static_cast<TargetConnection*>(peer);
  Request* const request =
      connection.is_failed ? nullptr : BeginRead(connection, header, data_bytes);
  if (request == nullptr) return std::nullopt;
  request->is_receiving = true;
  return fabric::Landing{request->lease.bytes(), request};
}

void SessionClient::OnLanded(void* context, bool is_whole) {
  auto& request = *static_cast<Request*>(context);
  FinishReceive(request, is_whole ? Status::ok : Status::peer_lost, request.lease.bytes().size());
}

ucs_status_t SessionClient::ReceiveByRendezvous(Request& request, void* descriptor, size_t bytes) {
  ucp_request_param_t params{};
  params.op_attr_mask =
      UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_MEMH;
  params.cb.recv_am = &SessionClient::OnReceived;
  params.user_data = &request;
  const uint32_t rail = connections_[request.target]->address.rail;
  params.memh = rails_[rail].memory->handle();
  request.is_receiving = true;
  request.owner = this;
  const ucs_status_ptr_t ucx_request = ucp_am_recv_data_nbx(
      workers_[rail]->handle(), descriptor, request.lease.bytes().data(), bytes, &params);
  if (!UCS_PTR_IS_PTR(ucx_request))
    FinishReceive(request, ucx::StatusFromUcx(UCS_PTR_STATUS(ucx_request)), bytes);
  return UCS_PTR_IS_ERR(ucx_request) ? UCS_OK : UCS_INPROGRESS;
}

void SessionClient::OnReceived(void* ucx_request, ucs_status_t status, size_t bytes,
                               void* user_data) {
  ucp_request_free(ucx_request);
  Request& request = *static_cast<Request*>(user_data);
  static_cast<SessionClient*>(request.owner)
      ->FinishReceive(request, ucx::StatusFromUcx(status), bytes);
}

void SessionClient::FinishReceive(Request& request, Status status, size_t bytes) {
  request.is_receiving = false;
  if (!request.is_waiting) {
    requests_.Remove(request);  // past its deadline or failed: only now may the slab go home
    return;
  }
  if (status != Status::ok) return Complete(request, status);
  if (bytes != request.lease.bytes().size()) return Complete(request, Status::protocol_error);
  FinishRead(request);
}

void SessionClient::FinishRead(Request& request) {
  const std::span<const std::byte> payload =
      request.lease ? request.lease.bytes() : std::span<std::byte>();
  const auto checksum = CheckReadBytes(request.reply, payload);
  if (!checksum) return Complete(request, checksum.error());
  batch_.reads.push_back({.request_id = request.id,
                          .status = Status::ok,
                          .checksum = *checksum,
                          .reply = request.reply,
                          .lease = std::move(request.lease),
                          .payload_offset = 0});
  Complete(request, Status::ok);
}

void SessionClient::OnValidateReply(const Incoming& message) {
  const auto reply = protocol::Decode<protocol::ValidateReply>(message.header);
  if (!reply) return FailProtocol(message.connection, "VALIDATE_REPLY");
  Request* const request =
      FindRequest(message.connection, RequestKind::kValidate, reply->request_id);
  if (request == nullptr) return;
  const auto status = protocol::StatusFromWire(reply->status);
  if (status && *status != Status::ok && reply->row_count == 0 && message.data.empty()) {
    return Complete(*request, *status);
  }
  const bool is_expected =
      status && *status == Status::ok && reply->row_count == request->item_count;
  auto verdicts = DecodeVerdicts(message.data, reply->row_count, request->is_lease_asked);
  if (!is_expected || !verdicts) {
    FailProtocol(message.connection, "VALIDATE_REPLY");
    return Complete(*request, Status::protocol_error);
  }
  batch_.validations.push_back(
      {.request_id = request->id, .status = Status::ok, .verdicts = std::move(*verdicts)});
  Complete(*request, Status::ok);
}

void SessionClient::OnChanged(const Incoming& message) {
  TargetConnection& connection = message.connection;
  const auto change = protocol::Decode<protocol::Changed>(message.header);
  if (!change || !connection.has_leases || IsConnecting(connection)) {
    return FailProtocol(connection, "CHANGED");
  }
  protocol::ListReader reader(message.data);
  auto ids = reader.TakeIds(change->id_count);
  if (!ids || !reader.empty()) return FailProtocol(connection, "CHANGED");
  TargetEvent& event = batch_.events.emplace_back();
  event.kind = TargetEvent::Kind::kChanged;
  event.target = connection.id;
  event.change = *change;
  event.ids = std::move(*ids);
}

void SessionClient::OnPong(const Incoming& message) {
  const auto pong = protocol::Decode<protocol::Pong>(message.header);
  if (!pong || !message.data.empty()) return FailProtocol(message.connection, "PONG");
  Request* const request = FindRequest(message.connection, RequestKind::kPing, pong->request_id);
  if (request == nullptr) return;
  batch_.pongs.push_back({.request_id = request->id,
                          .status = Status::ok,
                          .round_trip_ns = protocol::NowNs() - request->posted_ns,
                          .pong = *pong});
  Complete(*request, Status::ok);
}

void SessionClient::OnGoodbye(const Incoming& message) {
  TargetConnection& connection = message.connection;
  if (!protocol::Decode<protocol::Goodbye>(message.header) || IsConnecting(connection)) {
    return FailProtocol(connection, "GOODBYE");
  }
  SetState(connection, TargetConnection::State::kLeaving);
  if (connection.requests_in_flight == 0)
    Fail(connection, Status::closed, "the target said goodbye");
}

Request* SessionClient::FindRequest(const TargetConnection& connection, RequestKind kind,
                                    uint64_t id) {
  Request* const request = requests_.Find(id);
  const bool is_asked = request != nullptr && request->kind == kind &&
                        request->target == connection.id && request->is_waiting &&
                        !request->is_receiving;
  if (!is_asked) ++stats_.late_replies;
  return is_asked ? request : nullptr;
}

void SessionClient::FailProtocol(TargetConnection& connection, const char* message_name) {
  Fail(connection, Status::protocol_error, std::string("unexpected or malformed ") + message_name);
}

}  // namespace client
