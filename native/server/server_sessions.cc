// The server's sessions: from connection request to close. See server.h.
#include <algorithm>

#include "protocol/clock.h"
#include "server/server.h"
#include "ucx/ucx_link.h"

namespace server {
namespace {

constexpr uint32_t kPendingSessionsMax = 256;  // connected but not authenticated; more are rejected
constexpr uint64_t kLingerNs = 1'000'000'000;
using fabric::kControlSendTimeoutNs;

bool IsPending(Session::State state) {
  return state == Session::State::kGreeting || state == Session::State::kProving;
}

}  // namespace

void Server::OnConnection(ucp_conn_request_h request, void* arg) {
  Server& self = *static_cast<Server*>(arg);
  const auto address = ucx::Listener::PeerOf(request);
  const auto peer = address ? ucx::PeerEndOf(address->storage) : std::nullopt;
  const bool is_foreign = !peer || self.context_->RefuseFamily(address->get());
  if (is_foreign || !self.MayAccept(*peer)) {
    self.NoteRefused(is_foreign ? protocol::Status::not_connected : protocol::Status::overload);
    self.refused_->Add(request, peer);
    return;
  }
  self.connections_.push_back({request, *peer});
}

bool Server::MayAccept(const ucx::PeerEnd& peer) {
  if (is_stopping_) return false;
  if (!MakePlace(peer)) return false;
  const size_t sessions_max = options_.sessions_max + kPendingSessionsMax;
  if (sessions_.size() + connections_.size() >= sessions_max) return false;
  const auto of_address = [&peer](const ucx::PeerEnd& each) {
    return each.address == peer.address;
  };
  const auto accepted = std::ranges::count_if(sessions_, [&](const auto& entry) {
    return IsPending(entry.second->state) && !entry.second->doomed &&
           of_address(entry.second->peer);
  });
  const auto waiting = std::ranges::count_if(
      connections_, [&](const PendingConnection& each) { return of_address(each.peer); });
  return accepted + waiting < int64_t{options_.pending_per_address_max};
}

bool Server::MakePlace(const ucx::PeerEnd& peer) {
  if (stats_.sessions_pending + connections_.size() < kPendingSessionsMax) return true;
  std::vector<PendingSession> pending;
  for (const auto& [id, session] : sessions_) {
    if (IsPending(session->state) && !session->doomed) pending.push_back({id, session->peer});
  }
  if (pending.size() + connections_.size() < kPendingSessionsMax) return true;
  const auto yielding = GivesPlace(pending, peer);
  if (yielding) Doom(*sessions_.at(*yielding));
  return yielding.has_value();
}

/// Publishes the peers whose connections must not be closed: see WaitingConnections.
void Server::PublishPeers() {
  std::vector<ucx::PeerEnd> peers;
  peers.reserve(sessions_.size());
  for (const auto& [id, session] : sessions_) peers.push_back(session->peer);
  std::ranges::sort(peers);
  inbox_.Publish(std::move(peers));
}

void Server::AcceptPending(uint64_t now_ns) {
  for (const auto& [request, peer] : connections_) {
    ucs_status_t status = UCS_OK;
    auto session = std::make_unique<Session>();
    ucx::Endpoint endpoint = ucx::Endpoint::Accept(
        *worker_, request, {.on_error = &Server::OnPeerError, .arg = this}, status);
    if (!endpoint) {
      NoteRefused(protocol::Status::not_connected);
      continue;
    }
    session->endpoint = endpoint.handle();
    session->link = std::make_unique<ucx::UcxLink>(std::move(endpoint), memory_->handle());
    session->peer = peer;
    sessions_by_endpoint_[session->endpoint] = session.get();
    AddSession(std::move(session), now_ns);
  }
  connections_.clear();
  PublishPeers();
}

void Server::AddSession(std::unique_ptr<Session> session, uint64_t now_ns) {
  session->id = next_session_id_++;
  session->accepted_ns = session->last_message_ns = now_ns;
  session->share = arena_->OpenShare();
  ++stats_.sessions_pending;
  is_stats_due_ = true;
  sessions_[session->id] = std::move(session);
}

void Server::NoteRefused(protocol::Status status) {
  ++stats_.sessions_refused;
  inbox_.Note({SessionEvent::Kind::kRefused, 0, status});
  is_stats_due_ = true;
}

/// Their peers have shown that they know the secret, before they were left in the inbox.
void Server::AcceptStreams(std::vector<Inbox::Stream> streams) {
  for (Inbox::Stream& stream : streams) {
    if (is_stopping_ || !MakePlace(stream.peer) ||
        sessions_.size() + connections_.size() >= options_.sessions_max + kPendingSessionsMax) {
      NoteRefused(protocol::Status::overload);
      continue;  // the descriptor closes with the stream
    }
    auto session = std::make_unique<Session>();
    std::string error;
    session->link = streams_->Adopt(stream.TakeFd(), stream.security, session.get(), error);
    if (!session->link) {
      NoteRefused(protocol::Status::not_connected);
      continue;
    }
    session->peer = stream.peer;
    AddSession(std::move(session), protocol::NowNs());
  }
}

void Server::OnPeerError(void* arg, ucp_ep_h endpoint, ucs_status_t) {
  Server& self = *static_cast<Server*>(arg);
  const auto found = self.sessions_by_endpoint_.find(endpoint);
  if (found != self.sessions_by_endpoint_.end()) self.Doom(*found->second);
}

void Server::Doom(Session& session) {
  if (session.doomed) return;
  session.doomed = true;
  if (session.state == Session::State::kServing) {
    ++stats_.sessions_lost;
    inbox_.Note({SessionEvent::Kind::kLost, session.id});
  }
  if (IsPending(session.state)) {
    ++stats_.sessions_refused;
    inbox_.Note({SessionEvent::Kind::kRefused, session.id});
  }
  doomed_.push_back(session.id);
}

void Server::CloseDoomed() {
  for (const uint64_t id : doomed_) {
    const auto found = sessions_.find(id);
    SetState(*found->second, Session::State::kLeaving);
    leases_.EndSession(id);
    arena_->CloseShare(found->second->share);
    sessions_by_endpoint_.erase(found->second->endpoint);
    sessions_.erase(found);
  }
  doomed_.clear();
  PublishPeers();
  is_stats_due_ = true;
  if (is_stopping_ && sessions_.empty()) is_done_ = true;
}

void Server::SetState(Session& session, Session::State state) {
  if (IsPending(session.state) && !IsPending(state)) --stats_.sessions_pending;
  if (session.state == Session::State::kServing) --stats_.sessions_active;
  if (state == Session::State::kServing) ++stats_.sessions_active;
  session.state = state;
}

void Server::Refuse(Session& session, protocol::Status status) {
  protocol::Refuse refuse{};
  refuse.status = static_cast<uint16_t>(status);
  refuse.version_min = protocol::kVersionMin;
  refuse.version_max = protocol::kVersionMax;
  fabric::Send& send = sends_.Take(protocol::MessageId::refuse, refuse);
  send.owner = session.id;
  send.deadline_ns = protocol::NowNs() + kControlSendTimeoutNs;
  ++stats_.sessions_refused;
  inbox_.Note({SessionEvent::Kind::kRefused, session.id, status});
  session.link->Post(send);
  Leave(session, kLingerNs);
}

void Server::SayGoodbye(Session& session, protocol::Status status) {
  protocol::Goodbye goodbye{};
  goodbye.status = static_cast<uint16_t>(status);
  inbox_.Note({SessionEvent::Kind::kEnded, session.id, status});
  fabric::Send& send = sends_.Take(protocol::MessageId::goodbye, goodbye);
  send.owner = session.id;
  send.deadline_ns = protocol::NowNs() + kControlSendTimeoutNs;
  session.link->Post(send);
}

void Server::Leave(Session& session, uint64_t linger_ns) {
  SetState(session, Session::State::kLeaving);
  session.linger_until_ns = protocol::NowNs() + linger_ns;
}

void Server::PushVolumes() {
  volumes_generation_ = engine_->volumes_generation();
  std::vector<engine::AnnouncedVolume> volumes = engine_->Volumes();
  volume_pages_ = MakeVolumePages(volumes_generation_, volumes);
  inbox_.Publish(std::move(volumes));
  for (auto& [id, session] : sessions_) {
    if (session->state == Session::State::kServing && !session->doomed) SendVolumes(*session);
  }
}

void Server::SendVolumes(Session& session) {
  // A slow reader gets the latest list when it has taken the last one: at most one list is on its
  // way.
  session.volumes_due = session.volume_pages_in_flight > 0;
  if (session.volumes_due) return;
  // Counted before the first is posted, because a send may complete within Post().
  session.volume_pages_in_flight = static_cast<uint32_t>(volume_pages_.size());
  for (const VolumePage& page : volume_pages_) {
    fabric::Send& send = sends_.Take(protocol::MessageId::volumes, page.header);
    send.owner = session.id;
    send.deadline_ns = protocol::NowNs() + kControlSendTimeoutNs;
    send.tag = kVolumePage;
    send.shared_list = page.rows;
    session.link->Post(send);
  }
}

/// Changes are sent to sessions that are leaving, too: until they are closed their proxies believe
/// in their leases.
void Server::LookAtLeases(uint64_t now_ns) {
  next_look_ns_ = now_ns + kLeaseLookNs;
  const auto validate = [this](const protocol::ValidateItem& item) {
    return engine_->Validate(item);
  };
  changes_.clear();
  leases_.Look(now_ns, validate, changes_);
  is_stats_due_ |= leases_.count() != stats_.volume_leases;
  for (const VolumeChange& change : changes_) {
    const auto found = sessions_.find(change.session_id);
    if (found == sessions_.end() || found->second->doomed) continue;
    ++stats_.changes_pushed;
    fabric::Send& send = sends_.Take(protocol::MessageId::changed, change.header);
    send.owner = change.session_id;
    send.tag = kChange | uint64_t{change.header.volume_id} << 32;
    send.deadline_ns = now_ns + kControlSendTimeoutNs;
    send.shared_list = change.ids;
    found->second->link->Post(send);
  }
}

}  // namespace server
