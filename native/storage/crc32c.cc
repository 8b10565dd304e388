#include "storage/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace storage {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;  // reflected

constexpr auto kTables = [] {
  std::array<std::array<uint32_t, 256>, 8> tables{};
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (crc & 1 ? kPolynomial : 0);
    tables[0][i] = crc;
  }
  for (size_t t = 1; t < 8; t++) {
    for (uint32_t i = 0; i < 256; i++) {
      tables[t][i] = (tables[t - 1][i] >> 8) ^ tables[0][tables[t - 1][i] & 0xff];
    }
  }
  return tables;
}();

uint32_t TableRun(uint32_t crc, const std::byte* at, size_t count) {
  for (; count >= 8; at += 8, count -= 8) {
    uint64_t word;
    std::memcpy(&word, at, 8);
    word ^= crc;
    crc = 0;
    for (size_t i = 0; i < 8; i++) crc ^= kTables[7 - i][(word >> (8 * i)) & 0xff];
  }
  for (; count > 0; at++, count--) {
    crc = (crc >> 8) ^ kTables[0][(crc ^ std::to_integer<uint32_t>(*at)) & 0xff];
  }
  return crc;
}

#if defined(__x86_64__) || defined(__aarch64__)

// The CRC instruction has a latency of three cycles and a throughput of one: three streams side by
// side fill it. Joining them multiplies a stream's state by x^(8·bytes that follow), done here with
// tables of that linear map, one for each byte of the state.
constexpr size_t kLongBytes = 2048;
constexpr size_t kShortBytes = 128;

using ShiftTable = std::array<std::array<uint32_t, 256>, 4>;

constexpr uint32_t ShiftByZeros(uint32_t crc, size_t zeros) {
  for (size_t i = 0; i < zeros; i++) crc = (crc >> 8) ^ kTables[0][crc & 0xff];
  return crc;
}

ShiftTable MakeShiftTable(size_t zeros) {
  std::array<uint32_t, 32> images{};
  for (uint32_t bit = 0; bit < 32; bit++) images[bit] = ShiftByZeros(1u << bit, zeros);
  ShiftTable table{};
  for (uint32_t byte = 0; byte < 4; byte++) {
    for (uint32_t value = 0; value < 256; value++) {
      for (uint32_t bit = 0; bit < 8; bit++) {
        if ((value >> bit) & 1) table[byte][value] ^= images[byte * 8 + bit];
      }
    }
  }
  return table;
}

uint32_t Shift(const ShiftTable& table, uint32_t crc) {
  return table[0][crc & 0xff] ^ table[1][(crc >> 8) & 0xff] ^ table[2][(crc >> 16) & 0xff] ^
         table[3][crc >> 24];
}

uint64_t Word(const std::byte* at) {
  uint64_t word;
  std::memcpy(&word, at, 8);
  return word;
}

#if defined(__x86_64__)
#define CRC_TARGET __attribute__((target("sse4.2")))
CRC_TARGET inline uint32_t StepWord(uint32_t crc, uint64_t word) {
  return static_cast<uint32_t>(_mm_crc32_u64(crc, word));
}
CRC_TARGET inline uint32_t StepByte(uint32_t crc, std::byte byte) {
  return _mm_crc32_u8(crc, std::to_integer<uint8_t>(byte));
}
bool HasInstruction() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("sse4.2");
}
constexpr std::string_view kInstruction = "sse4.2";
#else
#define CRC_TARGET __attribute__((target("+crc")))
CRC_TARGET inline uint32_t StepWord(uint32_t crc, uint64_t word) { return __crc32cd(crc, word); }
CRC_TARGET inline uint32_t StepByte(uint32_t crc, std::byte byte) {
  return __crc32cb(crc, std::to_integer<uint8_t>(byte));
}
bool HasInstruction() { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }
constexpr std::string_view kInstruction = "aarch64";
#endif

CRC_TARGET uint32_t ThreeStreams(uint32_t crc, const std::byte*& at, size_t& count, size_t stream,
                                 const ShiftTable& shift) {
  for (; count >= 3 * stream; at += 3 * stream, count -= 3 * stream) {
    uint32_t second = 0;
    uint32_t third = 0;
    for (size_t i = 0; i < stream; i += 8) {
      crc = StepWord(crc, Word(at + i));
      second = StepWord(second, Word(at + stream + i));
      third = StepWord(third, Word(at + 2 * stream + i));
    }
    crc = Shift(shift, crc) ^ second;
    crc = Shift(shift, crc) ^ third;
  }
  return crc;
}

CRC_TARGET uint32_t InstructionRun(uint32_t crc, const std::byte* at, size_t count) {
  static const ShiftTable kLong = MakeShiftTable(kLongBytes);
  static const ShiftTable kShort = MakeShiftTable(kShortBytes);
  crc = ThreeStreams(crc, at, count, kLongBytes, kLong);
  crc = ThreeStreams(crc, at, count, kShortBytes, kShort);
  for (; count >= 8; at += 8, count -= 8) crc = StepWord(crc, Word(at));
  for (; count > 0; at++, count--) crc = StepByte(crc, *at);
  return crc;
}

#else
bool HasInstruction() { return false; }
constexpr std::string_view kInstruction = "table";
uint32_t InstructionRun(uint32_t crc, const std::byte* at, size_t count) {
  return TableRun(crc, at, count);
}
#endif

const bool kHasInstruction = HasInstruction();

}  // namespace

uint32_t Crc32c(uint32_t before, std::span<const std::byte> bytes) {
  return ~(kHasInstruction ? InstructionRun(~before, bytes.data(), bytes.size())
                           : TableRun(~before, bytes.data(), bytes.size()));
}

uint32_t Crc32cTable(uint32_t before, std::span<const std::byte> bytes) {
  return ~TableRun(~before, bytes.data(), bytes.size());
}

std::string_view Crc32cMethod() { return kHasInstruction ? kInstruction : "table"; }

}  // namespace storage
