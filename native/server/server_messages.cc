// The server's messages: what each may say in which state, and its answer. See server.h and wire.h.
#include <algorithm>

#include "memory/check.h"
#include "protocol/clock.h"
#include "server/fair_share.h"
#include "server/server.h"

namespace server {
namespace {

using protocol::MessageId;
using protocol::Status;

constexpr uint64_t kSendGraceNs = 1'000'000'000;
using fabric::kControlSendTimeoutNs;
constexpr uint64_t kReadTimeoutNsMax = 60'000'000'000;
constexpr uint64_t kPeerGoodbyeLingerNs = 5'000'000'000;

}  // namespace

template <Server::Handler handler>
ucs_status_t Server::OnMessage(void* arg, const void* header, size_t header_bytes, void* data,
                               size_t data_bytes, const ucp_am_recv_param_t* param) {
  Server& self = *static_cast<Server*>(arg);
  if ((param->recv_attr & UCP_AM_RECV_ATTR_FIELD_REPLY_EP) == 0) return UCS_OK;
  const auto found = self.sessions_by_endpoint_.find(param->reply_ep);
  if (found == self.sessions_by_endpoint_.end()) return UCS_OK;
  // Requests and their lists come eagerly; a rendezvous would let a peer choose when its bytes are
  // read.
  if ((param->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) != 0) {
    self.Doom(*found->second);
    return UCS_OK;
  }
  self.Hear(*found->second, handler, {static_cast<const std::byte*>(header), header_bytes},
            {static_cast<const std::byte*>(data), data_bytes});
  return UCS_OK;
}

void Server::Hear(Session& session, Handler handler, std::span<const std::byte> header,
                  std::span<const std::byte> data) {
  if (session.doomed) return;
  session.last_message_ns = protocol::NowNs();
  stats_.bytes_received += data.size();
  (this->*handler)({session, header, data, session.last_message_ns});
}

void Server::OnMessage(void* peer, MessageId id, std::span<const std::byte> header,
                       std::span<const std::byte> data) {
  auto& session = *static_cast<Session*>(peer);
  switch (id) {
    case MessageId::hello:
      return Hear(session, &Server::OnHello, header, data);
    case MessageId::proof:
      return Hear(session, &Server::OnProof, header, data);
    case MessageId::read:
      return Hear(session, &Server::OnReadRequest, header, data);
    case MessageId::validate:
      return Hear(session, &Server::OnValidate, header, data);
    case MessageId::ping:
      return Hear(session, &Server::OnPing, header, data);
    case MessageId::goodbye:
      return Hear(session, &Server::OnGoodbye, header, data);
    default:
      return Doom(session);
  }
}

std::optional<fabric::Landing> Server::OnReply(void* peer, std::span<const std::byte>, uint64_t) {
  Doom(*static_cast<Session*>(peer));
  return std::nullopt;
}

void Server::OnLost(void* peer, std::string_view) { Doom(*static_cast<Session*>(peer)); }

bool Server::SetHandlers(std::string& error) {
  struct Row {
    MessageId id;
    ucx::MessageHandler handler;
  };
  const Row rows[] = {
      {MessageId::hello, &OnMessage<&Server::OnHello>},
      {MessageId::proof, &OnMessage<&Server::OnProof>},
      {MessageId::read, &OnMessage<&Server::OnReadRequest>},
      {MessageId::validate, &OnMessage<&Server::OnValidate>},
      {MessageId::ping, &OnMessage<&Server::OnPing>},
      {MessageId::goodbye, &OnMessage<&Server::OnGoodbye>},
  };
  for (const Row& row : rows) {
    if (worker_->SetHandler(row.id, row.handler, this) == UCS_OK) continue;
    error = "ucp_worker_set_am_recv_handler failed";
    return false;
  }
  return true;
}

void Server::OnHello(const Incoming& message) {
  Session& session = message.session;
  if (session.state == Session::State::kLeaving) return;
  if (session.state != Session::State::kGreeting) return Doom(session);
  const auto hello = protocol::Decode<protocol::Hello>(message.header);
  if (!hello || !message.data.empty()) return Refuse(session, Status::bad_request);
  const uint16_t version = std::min(hello->version_max, protocol::kVersionMax);
  if (version < std::max(hello->version_min, protocol::kVersionMin)) {
    return Refuse(session, Status::unsupported_version);
  }
  if (stats_.sessions_active >= options_.sessions_max) return Refuse(session, Status::overload);

  ucx::HandshakeFacts& facts = session.facts;
  std::ranges::copy(hello->nonce, facts.client_nonce.begin());
  if (!ucx::MakeNonce(facts.server_nonce)) return Refuse(session, Status::overload);
  facts.version_min = hello->version_min;
  facts.version_max = hello->version_max;
  facts.version = version;
  protocol::Challenge challenge{};
  challenge.magic = protocol::kMagic;
  challenge.version = facts.version;
  challenge.features = hello->features & protocol::kLeases;
  session.has_leases = challenge.features != 0;
  facts.features_offered = hello->features;
  facts.features_agreed = challenge.features;
  session.secrets = inbox_.secrets();
  std::ranges::copy(facts.server_nonce, challenge.nonce);
  const ucx::Secrets& secrets = *session.secrets;
  std::ranges::copy(ucx::MakeProof(ucx::Prover::kTarget, secrets[0], facts), challenge.mac);
  SetState(session, Session::State::kProving);
  fabric::Send& send = sends_.Take(MessageId::challenge, challenge);
  for (size_t i = 1; version >= 2 && i < secrets.size(); ++i)
    protocol::AppendRow(send.list, ucx::MakeProof(ucx::Prover::kTarget, secrets[i], facts));
  send.owner = session.id;
  send.deadline_ns = message.now_ns + kControlSendTimeoutNs;
  session.link->Post(send);
}

void Server::OnProof(const Incoming& message) {
  Session& session = message.session;
  if (session.state == Session::State::kLeaving) return;
  if (session.state != Session::State::kProving) return Doom(session);
  const auto proof = protocol::Decode<protocol::Proof>(message.header);
  if (!proof || !message.data.empty()) return Refuse(session, Status::bad_request);
  const ucx::SharedSecrets secrets = std::exchange(session.secrets, nullptr);
  if (ucx::ProvedSecret(proof->mac, ucx::Prover::kProxy, *secrets, session.facts) == nullptr) {
    return Refuse(session, Status::unauthorized);
  }
  if (stats_.sessions_active >= options_.sessions_max) return Refuse(session, Status::overload);

  SetState(session, Session::State::kServing);
  session.was_welcomed = true;
  ++stats_.sessions_total;
  inbox_.Note({SessionEvent::Kind::kWelcomed, session.id});
  protocol::Welcome welcome{};
  welcome.session_id = session.id;
  welcome.requests_max = options_.requests_per_session_max;
  welcome.validate_items_max = protocol::kValidateItemsMax;
  welcome.needle_bytes_max = arena_->largest_slab_bytes();
  fabric::Send& send = sends_.Take(MessageId::welcome, welcome);
  send.owner = session.id;
  send.deadline_ns = message.now_ns + kControlSendTimeoutNs;
  session.link->Post(send);
  SendVolumes(session);
}

bool Server::MayAsk(const Session& session) const {
  return session.state == Session::State::kServing &&
         session.requests_in_flight < options_.requests_per_session_max &&
         HasShare(session.requests_in_flight, stats_.requests_in_flight, options_.requests_max);
}

/// Refusals are bounded like any other answer: a peer that takes none of them is past its limit at
/// last. Beyond the bound of all sessions together those end that have more than their part of it.
bool Server::IsFlooding(const Session& session) const {
  const uint64_t all_max = 2 * uint64_t{options_.requests_max};
  return session.requests_in_flight >= 2 * uint64_t{options_.requests_per_session_max} ||
         (stats_.requests_in_flight >= all_max &&
          session.requests_in_flight > all_max / std::max(1u, stats_.sessions_active));
}

void Server::OnReadRequest(const Incoming& message) {
  Session& session = message.session;
  const auto read = protocol::Decode<protocol::Read>(message.header);
  if (!session.was_welcomed || !read || !message.data.empty()) return Doom(session);
  if (!MayAsk(session)) return RefuseRead(session, read->request_id, Status::overload);

  if (idle_read_slots_.empty()) {
    idle_read_slots_.push_back(static_cast<uint32_t>(read_slots_.size()));
    read_slots_.emplace_back();
  }
  const uint32_t index = idle_read_slots_.back();
  idle_read_slots_.pop_back();
  ReadSlot& slot = read_slots_[index];
  slot.session_id = session.id;
  slot.request_id = read->request_id;
  slot.deadline_ns = message.now_ns + std::min(read->timeout_ns, kReadTimeoutNsMax);
  ++session.requests_in_flight;
  ++stats_.requests_in_flight;
  // No needle is longer than kNeedleBytesMax, so cutting there changes no answer and no sum
  // overflows.
  const engine::ReadCommand command{
      .needle_id = read->needle_id,
      .volume_id = read->volume_id,
      .cookie = read->cookie,
      .offset = std::min(read->offset, protocol::kNeedleBytesMax),
      .length = std::min(read->length, protocol::kNeedleBytesMax),
      .whole_bytes_max = read->whole_bytes_max,
      .budget_bytes = read->budget_bytes,
      .deadline_ns = slot.deadline_ns,
      .metadata_only = (read->flags & protocol::kMetadataOnly) != 0,
      .share = session.share,
  };
  engine_->Read(uint64_t{slot.sequence} << 32 | index, command);
}

void Server::OnRead(uint64_t token, engine::ReadResult&& result) {
  const uint32_t index = static_cast<uint32_t>(token);
  CHECK(index < read_slots_.size() && read_slots_[index].sequence == token >> 32);
  ReadSlot& slot = read_slots_[index];
  ++slot.sequence;
  idle_read_slots_.push_back(index);
  --stats_.requests_in_flight;
  const auto found = sessions_.find(slot.session_id);
  if (found == sessions_.end() || found->second->doomed) return;
  Session& session = *found->second;
  --session.requests_in_flight;
  result.header.request_id = slot.request_id;
  AnswerRead(session, slot.deadline_ns, std::move(result));
}

void Server::AnswerRead(Session& session, uint64_t deadline_ns, engine::ReadResult&& result) {
  const bool is_late = result.header.status == static_cast<uint16_t>(Status::deadline) ||
                       protocol::NowNs() > deadline_ns;
  CountRead(is_late ? static_cast<uint16_t>(Status::deadline) : result.header.status);
  if (is_late) return;  // the proxy has given up: nothing is answered late
  ++session.requests_in_flight;
  ++stats_.requests_in_flight;
  fabric::Send& send = sends_.Take(MessageId::read_reply, result.header);
  send.owner = session.id;
  send.tag = kAnswer;
  send.deadline_ns = deadline_ns + kSendGraceNs;
  if (result.payload_bytes > 0) {
    send.lease = std::move(result.lease);
    send.lease_offset = result.payload_offset;
    send.lease_bytes = result.payload_bytes;
  }
  session.link->Post(send);
}

void Server::RefuseRead(Session& session, uint64_t request_id, Status status) {
  if (IsFlooding(session)) return Doom(session);
  engine::ReadResult result{};
  result.header.request_id = request_id;
  result.header.status = static_cast<uint16_t>(status);
  AnswerRead(session, protocol::NowNs() + kControlSendTimeoutNs, std::move(result));
}

void Server::OnSent(const fabric::Send& send, bool is_sent) {
  const auto found = sessions_.find(send.owner);
  Session* const session = found == sessions_.end() ? nullptr : found->second.get();
  is_stats_due_ = true;
  const auto tag = static_cast<uint32_t>(send.tag);
  if (tag == kChange) leases_.OnSent(send.owner, static_cast<uint32_t>(send.tag >> 32));
  if (tag == kAnswer) {
    --stats_.requests_in_flight;
    stats_.list_bytes -= send.list.size();
    if (session != nullptr) {
      --session->requests_in_flight;
      session->list_bytes -= send.list.size();
    }
  }
  if (is_sent) {
    const uint64_t list_bytes = send.shared_list ? send.shared_list->size() : send.list.size();
    stats_.bytes_sent += send.lease ? send.lease_bytes : list_bytes;
  }
  if (session == nullptr) return;
  // A send that failed leaves the peer waiting: better it learns now that the session is over.
  if (!is_sent) return Doom(*session);
  if (tag == kVolumePage && --session->volume_pages_in_flight == 0 && session->volumes_due &&
      session->state == Session::State::kServing && !session->doomed) {
    SendVolumes(*session);
  }
}

void Server::OnValidate(const Incoming& message) {
  Session& session = message.session;
  const auto validate = protocol::Decode<protocol::Validate>(message.header);
  const bool is_sound =
      validate && message.data.size() == validate->item_count * sizeof(protocol::ValidateItem) &&
      (validate->lease_ms == 0 || session.has_leases);
  if (!session.was_welcomed || !is_sound) return Doom(session);
  protocol::ValidateReply reply{};
  reply.request_id = validate->request_id;
  std::vector<std::byte> list;
  if (!MayAsk(session) ||
      !HasShare(session.list_bytes, stats_.list_bytes, options_.list_bytes_max)) {
    if (IsFlooding(session)) return Doom(session);
    reply.status = static_cast<uint16_t>(Status::overload);
  } else {
    protocol::ListReader items(message.data);
    const uint64_t lease_ns = uint64_t{validate->lease_ms} * 1'000'000;
    if (lease_ns > 0 && leases_.empty()) next_look_ns_ = message.now_ns + kLeaseLookNs;
    size_t ids_count = 0;
    while (!items.empty()) {
      const auto item = items.Take<protocol::ValidateItem>();
      if (!item) return Doom(session);
      engine::ValidateResult result = engine_->Validate(*item);
      LimitIds(result, ids_count);
      if (lease_ns > 0 && leases_.Grant(session.id, *item, result.row, message.now_ns + lease_ns)) {
        result.row.flags = protocol::kLeased;
      }
      AppendValidateRow(list, result);
    }
    reply.row_count = validate->item_count;
    ++stats_.validations;
  }
  ++session.requests_in_flight;
  ++stats_.requests_in_flight;
  fabric::Send& send = sends_.Take(MessageId::validate_reply, reply);
  send.owner = session.id;
  send.tag = kAnswer;
  send.deadline_ns =
      message.now_ns + std::min(validate->timeout_ns, kReadTimeoutNsMax) + kSendGraceNs;
  session.list_bytes += list.size();
  stats_.list_bytes += list.size();
  send.list = std::move(list);
  session.link->Post(send);
}

void Server::OnPing(const Incoming& message) {
  Session& session = message.session;
  const auto ping = protocol::Decode<protocol::Ping>(message.header);
  if (!session.was_welcomed || !ping || !message.data.empty()) return Doom(session);
  if (IsFlooding(session)) return Doom(session);
  const memory::ArenaStats arena = arena_->stats();
  protocol::Pong pong{};
  pong.request_id = ping->request_id;
  pong.sent_ns = ping->sent_ns;
  pong.arena_bytes = arena.bytes_total;
  pong.arena_bytes_used = arena.bytes_leased;
  pong.requests_in_flight = stats_.requests_in_flight;
  pong.sessions = stats_.sessions_active;
  ++session.requests_in_flight;
  ++stats_.requests_in_flight;
  fabric::Send& send = sends_.Take(MessageId::pong, pong);
  send.owner = session.id;
  send.tag = kAnswer;
  send.deadline_ns = message.now_ns + kControlSendTimeoutNs;
  session.link->Post(send);
}

void Server::OnGoodbye(const Incoming& message) {
  Session& session = message.session;
  if (!protocol::Decode<protocol::Goodbye>(message.header)) return Doom(session);
  if (session.state == Session::State::kServing) {
    inbox_.Note({SessionEvent::Kind::kEnded, session.id, Status::closed});
    return Leave(session, kPeerGoodbyeLingerNs);
  }
  if (session.state != Session::State::kLeaving) Doom(session);
}

void Server::CountRead(uint16_t status) {
  if (status < std::size(stats_.reads_by_status)) ++stats_.reads_by_status[status];
  is_stats_due_ = true;
}

}  // namespace server
