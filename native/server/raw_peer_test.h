#pragma once

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "protocol/clock.h"
#include "protocol/decode.h"
#include "ucx/handles.h"
#include "ucx/session_proof.h"
#include "ucx/ucx_link.h"

// A UCX peer that says whatever a test wants it to say, in whatever order.
namespace server_test {

class RawPeer final : public fabric::SendListener {
 public:
  RawPeer(uint16_t port, const std::string& tls) : sends_(*this) {
    std::string error;
    context_ = ucx::Context::Create({.tls = tls}, error);
    worker_ = ucx::Worker::Create(*context_, error);
    for (uint16_t id = 1; id <= 14; ++id) {
      (void)worker_->SetHandler(static_cast<protocol::MessageId>(id), kHandlers[id], this);
    }
    const auto address = ucx::ParseAddress("127.0.0.1", port);
    ucs_status_t status = UCS_OK;
    endpoint_ = ucx::Endpoint::Connect(*worker_, address->get(), address->bytes,
                                       {.on_error = &RawPeer::OnError, .arg = this}, status);
  }

  ~RawPeer() override {
    endpoint_.ForceClose();
    const uint64_t give_up_ns = protocol::NowNs() + 1'000'000'000;
    while (sends_.in_flight() > 0 && protocol::NowNs() < give_up_ns) worker_->Progress();
  }

  template <typename Header>
  void Say(protocol::MessageId id, const Header& header, std::vector<std::byte> list = {}) {
    if constexpr (std::is_same_v<Header, protocol::Hello>) hello_ = header;
    fabric::Send& send = sends_.Take(id, header);
    send.list = std::move(list);
    ucx::Post(send, endpoint_, nullptr);
  }

  static protocol::Hello Hello() {
    protocol::Hello hello{};
    hello.magic = protocol::kMagic;
    hello.version_min = protocol::kVersionMin;
    hello.version_max = protocol::kVersionMax;
    return hello;
  }

  template <typename Header>
  const Header* Heard(protocol::MessageId id) {
    const auto found = heard_.find(id);
    if (found == heard_.end() || found->second.size() != sizeof(Header)) return nullptr;
    return reinterpret_cast<const Header*>(found->second.data());
  }

  /// Answers the challenge that was heard to the hello that was said last.
  void Prove(const std::string& secret) { Prove(secret, hello_); }
  /// Proves as if `hello` had been said.
  void Prove(const std::string& secret, const protocol::Hello& hello) {
    const auto& challenge = *Heard<protocol::Challenge>(protocol::MessageId::challenge);
    ucx::HandshakeFacts facts{};
    std::memcpy(facts.server_nonce.data(), challenge.nonce, sizeof(challenge.nonce));
    facts.version_min = hello.version_min;
    facts.version_max = hello.version_max;
    facts.version = challenge.version;
    facts.features_offered = hello.features;
    facts.features_agreed = challenge.features;
    protocol::Proof proof{};
    const ucx::Mac mac = ucx::MakeProof(ucx::Prover::kProxy, secret, facts);
    std::memcpy(proof.mac, mac.data(), mac.size());
    Say(protocol::MessageId::proof, proof);
  }

  template <typename Done>
  bool Await(Done&& done, uint64_t timeout_ns = 10'000'000'000) {
    const uint64_t give_up_ns = protocol::NowNs() + timeout_ns;
    while (!done()) {
      if (protocol::NowNs() > give_up_ns) return false;
      worker_->Progress();
    }
    return true;
  }
  bool AwaitMessage(protocol::MessageId id) {
    return Await([&] { return heard_.contains(id); });
  }
  bool AwaitLost() {
    return Await([&] { return is_lost_; });
  }
  bool is_lost() const { return is_lost_; }

  void OnSent(const fabric::Send&, bool) override {}

 private:
  template <uint16_t id>
  static ucs_status_t OnMessage(void* arg, const void* header, size_t header_bytes, void*, size_t,
                                const ucp_am_recv_param_t*) {
    const auto* bytes = static_cast<const std::byte*>(header);
    static_cast<RawPeer*>(arg)->heard_[static_cast<protocol::MessageId>(id)] = {
        bytes, bytes + header_bytes};
    return UCS_OK;
  }
  static void OnError(void* arg, ucp_ep_h, ucs_status_t) {
    static_cast<RawPeer*>(arg)->is_lost_ = true;
  }
  static constexpr ucx::MessageHandler kHandlers[] = {
      nullptr,        &OnMessage<1>,  &OnMessage<2>,  &OnMessage<3>,  &OnMessage<4>,
      &OnMessage<5>,  &OnMessage<6>,  &OnMessage<7>,  &OnMessage<8>,  &OnMessage<9>,
      &OnMessage<10>, &OnMessage<11>, &OnMessage<12>, &OnMessage<13>, &OnMessage<14>};

  std::unique_ptr<ucx::Context> context_;
  fabric::SendPool sends_;
  std::unique_ptr<ucx::Worker> worker_;
  ucx::Endpoint endpoint_;
  std::map<protocol::MessageId, std::vector<std::byte>> heard_;
  protocol::Hello hello_{};
  bool is_lost_ = false;
};

}  // namespace server_test
