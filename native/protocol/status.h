#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

// The answer statuses of the protocol, generated from status.def.
namespace protocol {

enum class Status : uint16_t {
// NOLINTNEXTLINE(bugprone-macro-parentheses): an enumerator takes none.
#define STATUS(name, number) name = number,
#include "protocol/status.def"
#undef STATUS
};

struct StatusRow {
  Status status;
  std::string_view name;
};

inline constexpr auto kStatusTable = std::to_array<StatusRow>({
#define STATUS(name, number) {Status::name, #name},
#include "protocol/status.def"
#undef STATUS
});

[[nodiscard]] constexpr std::string_view StatusName(Status status) {
  for (const StatusRow& row : kStatusTable) {
    if (row.status == status) return row.name;
  }
  return "unknown";
}

/// The status of a number from the wire; nothing for a number that is not in the table.
[[nodiscard]] constexpr std::optional<Status> StatusFromWire(uint16_t number) {
  for (const StatusRow& row : kStatusTable) {
    if (static_cast<uint16_t>(row.status) == number) return row.status;
  }
  return std::nullopt;
}

}  // namespace protocol
