#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "addon/arena_holder.h"
#include "addon/callback.h"
#include "addon/pump.h"
#include "addon/shared_layout.h"
#include "addon/ticket_table.h"
#include "client/client.h"
#include "client/inproc_client.h"
#include "memory/arena.h"

namespace addon {

struct FetchClientOptions {
  bool has_targets = false;  // else directories, in this process
  bool is_ucx = false;       // else its targets are reached by streams alone
  uint32_t requests_max = 0;
  uint64_t spin_ns = 0;
  memory::ArenaOptions arena{};
  std::string device_name;
  std::vector<std::string> rails;  // in place of device_name; empty: none
  bool is_ipv6 = false;
  bool is_guarded = false;
  std::string tls;
  ucx::WaitingConnections::Rules connections = {};
  engine::EngineOptions engine;
  uint64_t simulated_latency_ns = 0;
};

/// One client on one event loop, and what it shares with JavaScript. Lives until its handles are
/// closed, whatever happens to the object that JavaScript sees; calls from a completion callback
/// are fine, closing included.
class FetchClient : public PumpDelegate, public std::enable_shared_from_this<FetchClient> {
 public:
  /// Null when memory, UCX or the engine cannot be had; `error` then says why and what to do.
  [[nodiscard]] static std::shared_ptr<FetchClient> Create(Napi::Env env,
                                                           const FetchClientOptions& options,
                                                           Napi::Function on_batch,
                                                           std::string& error);
  ~FetchClient() override;

  [[nodiscard]] bool IsOpen() const { return client_ != nullptr && !is_closing_; }
  /// Null after the last handle was closed.
  [[nodiscard]] client::Client* client() { return client_.get(); }
  /// Null with targets.
  [[nodiscard]] client::InprocClient* inproc() { return inproc_; }
  [[nodiscard]] const std::shared_ptr<ArenaHolder>& holder() const { return holder_; }
  [[nodiscard]] client::ClientStats stats() const;

  /// The memory shared with JavaScript, pinned until the handles are closed.
  void Share(Napi::ArrayBuffer ring, Napi::ArrayBuffer command);
  [[nodiscard]] bool HasTarget(client::TargetId target) const { return target < target_count_; }
  /// Something was asked of the client directly.
  void Wake() { pump_->Wake(); }

  client::TargetId AddTarget(const client::TargetAddress& address);
  void ConnectAt(client::TargetId target, uint16_t port, uint64_t connect_timeout_ns);
  void ConnectStream(client::TargetId target, int fd, const stream::Security& security,
                     uint64_t connect_timeout_ns);
  void Disconnect(client::TargetId target);
  [[nodiscard]] bool MayPost(uint32_t ticket) const;
  void PostRead(client::TargetId target, uint32_t ticket);
  void PostValidate(client::TargetId target, uint32_t ticket, uint32_t item_count,
                    uint64_t timeout_ns, uint32_t lease_ms);
  void PostPing(client::TargetId target, uint32_t ticket, uint64_t timeout_ns);

  /// Says GOODBYE, waits a moment for it and for what is in flight, then closes every handle and
  /// calls `closed`.
  void Close(Napi::Function closed);

 private:
  FetchClient(napi_env env, std::shared_ptr<ArenaHolder> holder, uint32_t requests_max);

  bool Deliver() override;
  void OnQuiet() override;

  void Posted(uint64_t request_id, uint32_t ticket);
  void DeliverBatch();
  void DeliverRest();
  void FillRead(Entry& entry, client::ReadCompletion& completion);
  void Flush(size_t count, const std::vector<std::byte>& verdicts, napi_value events);
  void UpdateKeepAlive();
  void Shutdown();
  void OnHandlesClosed();
  static void OnEnvironmentCleanup(napi_async_cleanup_hook_handle handle, void* data);

  napi_env env_;
  std::shared_ptr<ArenaHolder> holder_;
  std::unique_ptr<client::Client> client_;
  client::InprocClient* inproc_ = nullptr;
  std::unique_ptr<Pump> pump_;
  std::unique_ptr<LoopCallback> on_batch_;
  std::unique_ptr<LoopCallback> on_closed_;
  napi_async_cleanup_hook_handle cleanup_ = nullptr;
  std::shared_ptr<FetchClient> self_;  // until the handles are closed

  TicketTable tickets_;
  const uint32_t requests_max_;
  std::unordered_set<client::TargetId>
      live_targets_;  // added and not disconnected: they keep the loop alive
  std::vector<client::TargetId> targets_;
  client::Batch batch_;
  client::ClientStats last_stats_{};
  client::TargetId target_count_ = 0;
  napi_ref ring_reference_ = nullptr;
  napi_ref command_reference_ = nullptr;
  Entry* ring_ = nullptr;
  Command* command_ = nullptr;
  uint64_t close_deadline_ns_ = 0;
  bool is_closing_ = false;
  bool is_tearing_ = false;  // the environment ends: no JavaScript any more
};

}  // namespace addon
