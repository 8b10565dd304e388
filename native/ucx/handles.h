#pragma once

#include <sys/socket.h>
#include <ucp/api/ucp.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "protocol/wire.h"

// One move-only owner per UCP object; its destructor holds the only destroy call. Destroy order:
// endpoints, listener, memory, worker, context. Everything but Context is confined to the thread
// that owns the worker.
namespace ucx {

struct ContextOptions {
  std::string device_name = "auto";  // UCX_NET_DEVICES
  std::string tls = "auto";          // UCX_TLS
  /// UCX's TCP uses this address family alone, on every device. With an endpoint of the other
  /// family UCX writes past its memory: see RefuseFamily().
  sa_family_t family = AF_INET;
  /// An endpoint uses the device alone over which it was connected. Else UCX tells the peer of all
  /// devices, and the peer may take any, whether it has a route to it or not.
  bool keeps_device = false;
};

class Context {
 public:
  [[nodiscard]] static std::unique_ptr<Context> Create(const ContextOptions& options,
                                                       std::string& error);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  [[nodiscard]] ucp_context_h handle() const { return handle_; }
  /// Leaves the context to the end of the process: a worker of it could not be destroyed.
  void Abandon() { is_abandoned_ = true; }
  /// Whether no endpoint to or from this address may be made. UCX 1.13 keeps a TCP peer's address
  /// in as many bytes as its own device's address has (tcp_ep.c, uct_tcp_ep_init), and takes the
  /// peer's from the socket: an IPv6 peer of an IPv4 device is written past the end of the heap
  /// block, before any message of ours.
  [[nodiscard]] bool RefuseFamily(const sockaddr* peer) const;

 private:
  Context(ucp_context_h handle, sa_family_t family, bool has_tcp)
      : handle_(handle), family_(family), has_tcp_(has_tcp) {}
  ucp_context_h handle_;
  sa_family_t family_;
  bool has_tcp_;
  bool is_abandoned_ = false;
};

/// `arg` comes back in the callback; see ucp_am_recv_callback_t for what may be returned.
using MessageHandler = ucp_am_recv_callback_t;

class Worker {
 public:
  [[nodiscard]] static std::unique_ptr<Worker> Create(Context& context, std::string& error);
  /// Finishes the closes that are under way and what they left behind, within a bound.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  [[nodiscard]] ucs_status_t SetHandler(protocol::MessageId id, MessageHandler handler, void* arg);

  /// True if something advanced. Not to be called from a UCX callback.
  bool Progress();
  /// The thread may sleep on event_fd() only after true, and with no progress or post since.
  [[nodiscard]] bool Arm();
  [[nodiscard]] int event_fd() const { return event_fd_; }
  [[nodiscard]] ucp_worker_h handle() const { return handle_; }

 private:
  friend class Endpoint;
  /// UCX 1.13.1 calls whatever lies in the memory behind the number of a message that nothing is
  /// registered for, and reads behind the table for a higher number: each gets a handler.
  [[nodiscard]] ucs_status_t IgnoreAllMessages();
  Worker(Context& context, ucp_worker_h handle, int event_fd)
      : context_(context), handle_(handle), event_fd_(event_fd) {}
  void ReapCloses();

  Context& context_;
  ucp_worker_h handle_;
  int event_fd_;
  std::vector<void*> closes_;  // requests of endpoints being closed
  uint32_t close_rounds_ = 0;  // of progress before the thread may sleep
};

/// Memory registered once, for a process's arena.
class MemoryHandle {
 public:
  [[nodiscard]] static std::unique_ptr<MemoryHandle> Register(Context& context,
                                                              std::span<std::byte> memory,
                                                              std::string& error);
  ~MemoryHandle();
  MemoryHandle(const MemoryHandle&) = delete;
  MemoryHandle& operator=(const MemoryHandle&) = delete;
  [[nodiscard]] ucp_mem_h handle() const { return handle_; }

 private:
  MemoryHandle(ucp_context_h context, ucp_mem_h handle) : context_(context), handle_(handle) {}
  ucp_context_h context_;
  ucp_mem_h handle_;
};

/// `on_error(arg, endpoint, status)` comes from within Progress(), at most once, when the peer is
/// lost. The endpoint is not to be closed in it.
struct ErrorHandler {
  ucp_err_handler_cb_t on_error;
  void* arg;
};

/// One message to send. Header and data are borrowed until the send has completed.
struct Message {
  protocol::MessageId id;
  std::span<const std::byte> header;
  std::span<const std::byte> data = {};
  uint32_t flags = UCP_AM_SEND_FLAG_REPLY;
  ucp_mem_h memory = nullptr;  // where `data` lies in registered memory
  ucp_send_nbx_callback_t on_sent;
  void* user_data;
};

/// Always in peer-error mode. The destructor closes by force, which completes every request on the
/// endpoint with an error from a later Progress().
class Endpoint {
 public:
  Endpoint() = default;
  [[nodiscard]] static Endpoint Connect(Worker& worker, const sockaddr* address,
                                        socklen_t address_bytes, ErrorHandler on_error,
                                        ucs_status_t& status);
  [[nodiscard]] static Endpoint Accept(Worker& worker, ucp_conn_request_h request,
                                       ErrorHandler on_error, ucs_status_t& status);
  Endpoint(Endpoint&& other) noexcept;
  Endpoint& operator=(Endpoint&& other) noexcept;
  ~Endpoint();

  /// Null: sent, `on_sent` is not called. A pointer: it will be. An error: it will not.
  [[nodiscard]] ucs_status_ptr_t Send(const Message& message);
  void ForceClose();

  [[nodiscard]] ucp_ep_h handle() const { return handle_; }
  explicit operator bool() const { return handle_ != nullptr; }

 private:
  Endpoint(Worker& worker, ucp_ep_h handle) : worker_(&worker), handle_(handle) {}
  static Endpoint Create(Worker& worker, ucp_ep_params_t& params, ErrorHandler on_error,
                         ucs_status_t& status);
  Worker* worker_ = nullptr;
  ucp_ep_h handle_ = nullptr;
};

struct SocketAddress {
  sockaddr_storage storage;
  socklen_t bytes;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

/// Each connection request must be accepted (Endpoint::Accept) or rejected (Reject).
class Listener {
 public:
  [[nodiscard]] static std::unique_ptr<Listener> Create(Worker& worker, const sockaddr* address,
                                                        socklen_t address_bytes,
                                                        ucp_listener_conn_handler_t handler,
                                                        std::string& error);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  [[nodiscard]] uint16_t port() const { return port_; }
  void Reject(ucp_conn_request_h request);
  /// The socket's peer, as the kernel knows it; nothing in the request's own bytes changes it.
  [[nodiscard]] static std::optional<SocketAddress> PeerOf(ucp_conn_request_h request);

 private:
  Listener(ucp_listener_h handle, uint16_t port) : handle_(handle), port_(port) {}
  ucp_listener_h handle_;
  uint16_t port_;
};

/// Why UCX cannot listen at or connect to this address, with what to do; empty: it can. UCX's TCP
/// has no IPv6 on loopback (sock.c, ucs_netif_get_addr leaves it out).
[[nodiscard]] std::string AddressFault(const SocketAddress& address);

/// Parses a literal IPv4 or IPv6 address; never asks a name server, so it never blocks.
[[nodiscard]] std::optional<SocketAddress> ParseAddress(const std::string& host, uint16_t port);

}  // namespace ucx
