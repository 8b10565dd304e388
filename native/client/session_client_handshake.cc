// Begins a session: HELLO to WELCOME, or REFUSE. See session_client_impl.h and wire.h.
#include <algorithm>
#include <cstring>

#include "client/session_client_impl.h"
#include "protocol/decode.h"

namespace client {
namespace {

using protocol::MessageId;
using protocol::Status;

bool IsRefusal(Status status) {
  return status == Status::unsupported_version || status == Status::unauthorized ||
         status == Status::overload || status == Status::bad_request;
}

/// The proofs of a CHALLENGE, one for each secret of the target; nullopt when its data is no such
/// list.
std::optional<std::vector<ucx::Mac>> MacsOf(const protocol::Challenge& challenge,
                                            std::span<const std::byte> data) {
  const size_t more_max = challenge.version >= 2 ? protocol::kSecretsMax - 1 : 0;
  if (data.size() % protocol::kMacBytes != 0 || data.size() / protocol::kMacBytes > more_max)
    return std::nullopt;
  std::vector<ucx::Mac> macs(1 + data.size() / protocol::kMacBytes);
  std::ranges::copy(challenge.mac, macs[0].begin());
  if (!data.empty()) std::memcpy(macs[1].data(), data.data(), data.size());
  return macs;
}

}  // namespace

void SessionClient::SendHello(TargetConnection& connection) {
  connection.facts.version_min = protocol::kVersionMin;
  connection.facts.version_max = protocol::kVersionMax;
  connection.facts.features_offered = protocol::kLeases;
  protocol::Hello hello{};
  hello.magic = protocol::kMagic;
  hello.version_min = connection.facts.version_min;
  hello.version_max = connection.facts.version_max;
  hello.features = connection.facts.features_offered;
  std::ranges::copy(connection.facts.client_nonce, hello.nonce);
  Send(connection, sends_.Take(MessageId::hello, hello), connection.connect_by_ns);
}

void SessionClient::OnChallenge(const Incoming& message) {
  TargetConnection& connection = message.connection;
  const auto challenge = protocol::Decode<protocol::Challenge>(message.header);
  const bool is_expected = connection.state == TargetConnection::State::kGreeting && challenge &&
                           challenge->version >= protocol::kVersionMin &&
                           challenge->version <= protocol::kVersionMax;
  const auto macs = is_expected ? MacsOf(*challenge, message.data) : std::nullopt;
  if (!macs) return FailProtocol(connection, "CHALLENGE");
  connection.facts.version = challenge->version;
  connection.facts.features_agreed = challenge->features;
  connection.has_leases = (challenge->features & protocol::kLeases) != 0;
  std::ranges::copy(challenge->nonce, connection.facts.server_nonce.begin());
  const std::string* secret = nullptr;
  for (auto mac = macs->begin(); secret == nullptr && mac != macs->end(); ++mac)
    secret =
        ucx::ProvedSecret(*mac, ucx::Prover::kTarget, connection.address.secrets, connection.facts);
  if (secret == nullptr)
    return Fail(connection, Status::unauthorized, "the target does not know the secret");
  protocol::Proof proof{};
  std::ranges::copy(ucx::MakeProof(ucx::Prover::kProxy, *secret, connection.facts), proof.mac);
  SetState(connection, TargetConnection::State::kProving);
  Send(connection, sends_.Take(MessageId::proof, proof), connection.connect_by_ns);
}

void SessionClient::OnWelcome(const Incoming& message) {
  TargetConnection& connection = message.connection;
  const auto welcome = protocol::Decode<protocol::Welcome>(message.header);
  const bool is_expected =
      connection.state == TargetConnection::State::kProving && message.data.empty();
  if (!is_expected || !welcome) return FailProtocol(connection, "WELCOME");
  connection.session_id = welcome->session_id;
  connection.requests_max = welcome->requests_max;
  connection.validate_items_max =
      std::min(welcome->validate_items_max, protocol::kValidateItemsMax);
  SetState(connection, TargetConnection::State::kUp);
  connection.is_up_due = true;
  Note(connection);
}

void SessionClient::OnRefuse(const Incoming& message) {
  TargetConnection& connection = message.connection;
  const auto refuse = protocol::Decode<protocol::Refuse>(message.header);
  const auto status = refuse ? protocol::StatusFromWire(refuse->status) : std::nullopt;
  if (!IsConnecting(connection) || !status || !IsRefusal(*status))
    return FailProtocol(connection, "REFUSE");
  Fail(connection, *status,
       "refused: " + std::string(protocol::StatusName(*status)) + " (the target speaks versions " +
           std::to_string(refuse->version_min) + " to " + std::to_string(refuse->version_max) +
           ")");
}

}  // namespace client
