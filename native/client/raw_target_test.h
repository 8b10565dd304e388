#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/loopback_test.h"
#include "protocol/clock.h"
#include "protocol/decode.h"
#include "ucx/handles.h"
#include "ucx/session_proof.h"
#include "ucx/ucx_link.h"

// A target that welcomes the client and then says whatever a test wants it to say.
namespace client_test {

class RawTarget final : public fabric::SendListener {
 public:
  /// `features` are those that it agrees to, whatever was offered.
  RawTarget(const std::string& tls, uint64_t features) : features_(features), sends_(*this) {
    SetUcxEnvironment();
    std::string error;
    context_ = ucx::Context::Create({.tls = tls}, error);
    worker_ = ucx::Worker::Create(*context_, error);
    (void)worker_->SetHandler(protocol::MessageId::hello, &RawTarget::OnHello, this);
    (void)worker_->SetHandler(protocol::MessageId::proof, &RawTarget::OnProof, this);
    (void)worker_->SetHandler(protocol::MessageId::validate, &RawTarget::OnValidate, this);
    ucp_listener_conn_handler_t handler{};
    handler.cb = &RawTarget::OnConnection;
    handler.arg = this;
    const auto address = ucx::ParseAddress("127.0.0.1", 0);
    listener_ = ucx::Listener::Create(*worker_, address->get(), address->bytes, handler, error);
    if (!listener_) ADD_FAILURE() << error;
    arena_ = memory::Arena::Create({.bytes = 8 << 20, .hugepages = memory::Hugepages::kOff}, error);
    client = client::CreateSessionClient({.tls = tls}, *arena_, error);
    if (!client) ADD_FAILURE() << error;
  }

  ~RawTarget() override {
    client.reset();
    endpoint_.ForceClose();
    const uint64_t give_up_ns = protocol::NowNs() + kSecondNs;
    while (sends_.in_flight() > 0 && protocol::NowNs() < give_up_ns) worker_->Progress();
  }

  template <typename Header>
  void Say(protocol::MessageId id, const Header& header, std::vector<std::byte> list = {}) {
    fabric::Send& send = sends_.Take(id, header);
    send.list = std::move(list);
    ucx::Post(send, endpoint_, nullptr);
  }

  bool Await(const std::function<bool()>& done) {
    const uint64_t give_up_ns = protocol::NowNs() + 10 * kSecondNs;
    while (!done()) {
      if (protocol::NowNs() > give_up_ns) return false;
      worker_->Progress();
      if (request_ != nullptr) Accept();
      client->Progress();
      client->Take(batch_);
      for (auto& validation : batch_.validations) validations.push_back(std::move(validation));
      for (auto& event : batch_.events) events.push_back(std::move(event));
    }
    return true;
  }

  std::optional<client::TargetEvent> AwaitEvent(client::TargetEvent::Kind kind) {
    const auto find = [&] { return std::ranges::find(events, kind, &client::TargetEvent::kind); };
    if (!Await([&] { return find() != events.end(); })) return std::nullopt;
    const auto found = find();
    client::TargetEvent event = std::move(*found);
    events.erase(found);
    return event;
  }

  client::TargetId Add() { return client->AddTarget(Loopback::AddressOf(listener_->port())); }

  client::TargetId Up() {
    const auto target = Add();
    EXPECT_TRUE(AwaitEvent(client::TargetEvent::Kind::kUp));
    return target;
  }

  /// The VALIDATE that the client sent for one item.
  protocol::Validate AwaitValidate(client::TargetId target, uint32_t lease_ms) {
    const protocol::ValidateItem item{.epoch = 1, .position = 16, .volume_id = 7, .reserved = 0};
    (void)client->PostValidate(target, std::span(&item, 1), 5 * kSecondNs, lease_ms);
    EXPECT_TRUE(Await([&] { return validate_.has_value(); }));
    return *std::exchange(validate_, std::nullopt);
  }

  void OnSent(const fabric::Send&, bool) override {}

  std::unique_ptr<client::Client> client;
  std::vector<client::ValidateCompletion> validations;
  std::vector<client::TargetEvent> events;

 private:
  static void OnConnection(ucp_conn_request_h request, void* arg) {
    static_cast<RawTarget*>(arg)->request_ = request;
  }

  void Accept() {
    ucs_status_t status = UCS_OK;
    const auto ignore = [](void*, ucp_ep_h, ucs_status_t) {};
    endpoint_ = ucx::Endpoint::Accept(*worker_, std::exchange(request_, nullptr),
                                      {.on_error = ignore, .arg = nullptr}, status);
  }

  static ucs_status_t OnHello(void* arg, const void* header, size_t header_bytes, void*, size_t,
                              const ucp_am_recv_param_t*) {
    RawTarget& self = *static_cast<RawTarget*>(arg);
    const auto hello =
        protocol::Decode<protocol::Hello>({static_cast<const std::byte*>(header), header_bytes});
    self.offered_features = hello->features;
    ucx::HandshakeFacts facts{};
    std::ranges::copy(hello->nonce, facts.client_nonce.begin());
    facts.version_min = hello->version_min;
    facts.version_max = hello->version_max;
    facts.version = self.version;
    facts.features_offered = hello->features;
    facts.features_agreed = self.proved_features.value_or(self.features_);
    protocol::Challenge challenge{};
    challenge.magic = protocol::kMagic;
    challenge.version = self.version;
    challenge.features = self.features_;
    const std::string secret = Loopback::AddressOf(0).secrets[0];
    std::ranges::copy(ucx::MakeProof(ucx::Prover::kTarget, secret, facts), challenge.mac);
    self.Say(protocol::MessageId::challenge, challenge, self.challenge_list);
    return UCS_OK;
  }

  static ucs_status_t OnProof(void* arg, const void*, size_t, void*, size_t,
                              const ucp_am_recv_param_t*) {
    protocol::Welcome welcome{};
    welcome.session_id = 1;
    welcome.requests_max = 16;
    welcome.validate_items_max = protocol::kValidateItemsMax;
    static_cast<RawTarget*>(arg)->Say(protocol::MessageId::welcome, welcome);
    return UCS_OK;
  }

  static ucs_status_t OnValidate(void* arg, const void* header, size_t header_bytes, void*, size_t,
                                 const ucp_am_recv_param_t*) {
    const auto validate =
        protocol::Decode<protocol::Validate>({static_cast<const std::byte*>(header), header_bytes});
    if (validate) static_cast<RawTarget*>(arg)->validate_ = *validate;
    return UCS_OK;
  }

 public:
  uint64_t offered_features = 0;
  uint16_t version = protocol::kVersionMax;  // of CHALLENGE
  std::optional<uint64_t> proved_features;   // nullopt: those that CHALLENGE names
  std::vector<std::byte> challenge_list;

 private:
  const uint64_t features_;
  std::unique_ptr<ucx::Context> context_;
  fabric::SendPool sends_;
  std::unique_ptr<ucx::Worker> worker_;
  std::unique_ptr<ucx::Listener> listener_;
  ucp_conn_request_h request_ = nullptr;
  ucx::Endpoint endpoint_;
  std::optional<protocol::Validate> validate_;
  std::unique_ptr<memory::Arena> arena_;
  client::Batch batch_;
};

}  // namespace client_test
