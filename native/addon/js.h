#pragma once

// The one file that includes napi.h: Maybe mode, no C++ exceptions. No room below this one knows
// JavaScript.
#include <napi.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace addon {

// Options come validated and complete from src/rdma, so a missing or mistyped field is a bug there:
// it reads as zero or empty, never as a crash.
[[nodiscard]] Napi::Value Get(const Napi::Object& object, const char* name);
[[nodiscard]] std::string GetString(const Napi::Object& object, const char* name);
[[nodiscard]] std::vector<std::string> GetStrings(const Napi::Object& object, const char* name);
/// Whatever is no string is left out; of what is no array nothing is left.
[[nodiscard]] std::vector<std::string> ReadStrings(const Napi::Value& value);
[[nodiscard]] double GetNumber(const Napi::Object& object, const char* name);
[[nodiscard]] bool GetBool(const Napi::Object& object, const char* name);

/// Negative, fractional parts and NaN become the nearest lower whole number, at least 0.
[[nodiscard]] uint64_t ToUint64(double number);
[[nodiscard]] uint64_t GetUint64(const Napi::Object& object, const char* name);
[[nodiscard]] uint32_t GetUint32(const Napi::Object& object, const char* name);

void Set(Napi::Object& object, const char* name, const Napi::Value& value);
void Set(Napi::Object& object, const char* name, double value);
void Set(Napi::Object& object, const char* name, uint64_t value);
void Set(Napi::Object& object, const char* name, std::string_view value);

/// Leaves the exception pending; the caller returns at once.
Napi::Value Throw(Napi::Env env, const std::string& message);

}  // namespace addon
