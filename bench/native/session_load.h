#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/session_client.h"
#include "protocol/status.h"

// Many sessions of one process with one target, each of which keeps some reads in flight.
namespace bench {

inline constexpr uint32_t kVolume = 1;
inline constexpr uint32_t kCookie = 0x1234;

/// The needles of the volume that is read.
struct Size {
  uint64_t bytes;
  uint32_t needles;
};
inline constexpr std::array<Size, 5> kSizes{
    {{4096, 256}, {65536, 64}, {1 << 20, 32}, {4 << 20, 32}, {64 << 20, 4}}};

constexpr uint64_t NeedleId(uint64_t bytes, uint32_t index) { return bytes << 8 | index; }

struct Ports {
  uint16_t ucx = 0;
  uint16_t stream = 0;
};

inline bool IsStream(std::string_view tls) { return tls.ends_with("stream"); }
std::string UcxTls(const std::string& tls);
stream::Security SecurityOf(std::string_view tls, bool is_server);

struct Reads {
  uint32_t depth;
  uint64_t bytes;
};
/// `sessions` of one kind, each with all of `reads` in flight.
struct Group {
  uint32_t sessions;
  std::vector<Reads> reads;
};
/// SESSIONS:DEPTHxBYTES[+DEPTHxBYTES …][,…]; nothing: it is not of this form.
std::optional<std::vector<Group>> ParseGroups(std::string_view text);

class SessionLoad {
 public:
  /// Null: `error` says why.
  static std::unique_ptr<SessionLoad> Create(const std::string& tls,
                                             const std::vector<Group>& groups, std::string& error);

  /// Opens a session for each of the groups' sessions.
  bool Connect(const Ports& ports, std::string& error);
  /// Keeps the reads in flight for so long.
  void Run(double seconds);
  /// Forgets what was measured.
  void Clear();
  void Print(double seconds) const;

 private:
  /// One read at a time, over and over again.
  struct Slot {
    client::TargetId target;
    uint64_t bytes;
    uint32_t next_needle;
    uint64_t posted_ns;
  };
  struct Figures {
    std::vector<uint64_t> latencies_ns;
    std::map<protocol::Status, uint64_t> failures;
  };

  SessionLoad() = default;
  bool Await(uint32_t sessions, std::string& error);
  void Open(const Ports& ports);
  void Post(uint32_t slot);
  void Take();

  std::string tls_;
  std::vector<Group> groups_;
  std::unique_ptr<memory::Arena> arena_;
  std::unique_ptr<client::Client> client_;
  client::Batch batch_;
  std::vector<client::TargetId> targets_;
  std::vector<Slot> slots_;
  std::vector<std::pair<uint64_t, uint32_t>> resting_;  // until when, slot
  std::map<uint64_t, uint32_t> posted_;                 // by request id
  std::map<uint64_t, Figures> figures_;                 // by bytes
  uint32_t up_ = 0;
  std::string down_;
};

}  // namespace bench
