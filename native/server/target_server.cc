#include "server/target_server.h"

#include <pthread.h>
#include <sys/socket.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "protocol/clock.h"
#include "server/inbox.h"
#include "server/server.h"

namespace server {
namespace {

/// The progress thread's message to Create().
struct Started {
  bool ok;
  std::string error;
  ucx::WaitingConnections::Ports ports;
  memory::PageKind page_kind;
  std::string guard_fault;
};

class ThreadedTargetServer final : public TargetServer {
 public:
  ~ThreadedTargetServer() override {
    inbox_.StopAtOnce();
    if (thread_.joinable()) thread_.join();
  }

  bool Start(const TargetServerOptions& options, const EngineFactory& engine, std::string& error) {
    inbox_.SetSecrets(options.secrets);
    thread_ = std::thread([this, options, engine] { RunThread(options, engine); });
    std::unique_lock lock(started_mutex_);
    started_changed_.wait(lock, [&] { return started_.has_value(); });
    error = started_->error;
    if (started_->ok && options.is_ucx) {
      connections_.emplace(started_->ports,
                           ucx::WaitingConnections::Rules{options.handshake_timeout_ns,
                                                          options.pending_per_address_max},
                           peers_);
    }
    return started_->ok;
  }

  uint16_t port() const override { return started_->ports.listen; }
  memory::PageKind page_kind() const override { return started_->page_kind; }
  const std::string& guard_fault() const override { return started_->guard_fault; }
  bool AdmitPeers(const std::set<ucx::HostAddress>& hosts, std::string& error) override {
    return peers_.Admit(hosts, error);
  }
  void Confirm(uint64_t started_ns, std::vector<engine::ServedVolume> served) override {
    inbox_.Confirm({started_ns, std::move(served)});
  }
  void OnPollWanted(std::function<void()> listener) override {
    inbox_.OnPollWanted(std::move(listener));
  }
  TargetServerStats stats() const override { return inbox_.stats(); }
  ucx::ConnectionCounts LookAtConnections() override {
    if (!connections_) return {};
    return connections_->Look(protocol::NowNs(), inbox_.peers());
  }
  void SetSecrets(ucx::Secrets secrets) override { inbox_.SetSecrets(std::move(secrets)); }
  void Adopt(int fd, const stream::Security& security) override {
    sockaddr_storage address{};
    socklen_t bytes = sizeof(address);
    (void)getpeername(fd, reinterpret_cast<sockaddr*>(&address), &bytes);
    inbox_.Adopt({fd, security, ucx::PeerEndOf(address).value_or(ucx::PeerEnd{})});
  }
  std::vector<SessionEvent> TakeSessionEvents() override { return inbox_.TakeSessionEvents(); }
  std::vector<engine::AnnouncedVolume> volumes() const override { return inbox_.volumes(); }
  void Stop(std::function<void()> stopped) override { inbox_.Stop(std::move(stopped)); }

 private:
  void RunThread(const TargetServerOptions& options, const EngineFactory& engine) {
    (void)pthread_setname_np(pthread_self(), "target-progress");
    std::string error;
    auto server = Server::Create(options, engine, {inbox_, peers_}, error);
    {
      const std::lock_guard lock(started_mutex_);
      started_ = server ? Started{true,
                                  {},
                                  {server->port(), server->data_ports()},
                                  server->page_kind(),
                                  server->guard_fault()}
                        : Started{false, error, {}, memory::PageKind::kNormal, {}};
    }
    started_changed_.notify_one();
    if (!server) return;
    const std::function<void()> stopped = server->Run();
    server.reset();
    if (stopped) stopped();
  }

  Inbox inbox_;
  ucx::PeerFilter peers_;
  std::mutex started_mutex_;
  std::condition_variable started_changed_;
  std::optional<Started> started_;
  std::optional<ucx::WaitingConnections> connections_;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<TargetServer> TargetServer::Create(const TargetServerOptions& options,
                                                   std::string& error) {
  const EngineFactory engine = [engine_options = options.engine](memory::Arena& arena,
                                                                 engine::ReadSink& sink,
                                                                 std::string& engine_error) {
    return engine::Engine::Create(engine_options, arena, sink, engine_error);
  };
  return Create(options, engine, error);
}

std::unique_ptr<TargetServer> TargetServer::Create(const TargetServerOptions& options,
                                                   const EngineFactory& engine,
                                                   std::string& error) {
  auto server = std::make_unique<ThreadedTargetServer>();
  return server->Start(options, engine, error) ? std::move(server) : nullptr;
}

}  // namespace server
