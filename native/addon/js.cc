#include "addon/js.h"

#include <cmath>

#include "addon/methods.h"

namespace addon {

Napi::Value Get(const Napi::Object& object, const char* name) {
  return object.Get(name).UnwrapOr(object.Env().Undefined());
}

std::string GetString(const Napi::Object& object, const char* name) {
  const Napi::Value value = Get(object, name);
  return value.IsString() ? value.As<Napi::String>().Utf8Value() : std::string();
}

std::vector<std::string> GetStrings(const Napi::Object& object, const char* name) {
  return ReadStrings(Get(object, name));
}

std::vector<std::string> ReadStrings(const Napi::Value& value) {
  std::vector<std::string> strings;
  if (!value.IsArray()) return strings;
  const Napi::Array array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value item = array.Get(i).UnwrapOr(value.Env().Undefined());
    if (item.IsString()) strings.push_back(item.As<Napi::String>().Utf8Value());
  }
  return strings;
}

double GetNumber(const Napi::Object& object, const char* name) {
  const Napi::Value value = Get(object, name);
  return value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : 0;
}

bool GetBool(const Napi::Object& object, const char* name) {
  const Napi::Value value = Get(object, name);
  return value.IsBoolean() && value.As<Napi::Boolean>().Value();
}

uint64_t ToUint64(double number) {
  constexpr double kLimit = 18446744073709549568.0;  // the largest double below 2^64
  if (!(number > 0)) return 0;
  return number >= kLimit ? UINT64_MAX : static_cast<uint64_t>(number);
}

uint64_t GetUint64(const Napi::Object& object, const char* name) {
  return ToUint64(GetNumber(object, name));
}

uint32_t GetUint32(const Napi::Object& object, const char* name) {
  const uint64_t number = GetUint64(object, name);
  return number > UINT32_MAX ? UINT32_MAX : static_cast<uint32_t>(number);
}

void Set(Napi::Object& object, const char* name, const Napi::Value& value) {
  object.Set(name, value);
}

void Set(Napi::Object& object, const char* name, double value) {
  object.Set(name, Napi::Number::New(object.Env(), value));
}

void Set(Napi::Object& object, const char* name, uint64_t value) {
  Set(object, name, static_cast<double>(value));
}

void Set(Napi::Object& object, const char* name, std::string_view value) {
  object.Set(name, Napi::String::New(object.Env(), value.data(), value.size()));
}

Napi::Value Throw(Napi::Env env, const std::string& message) {
  // Not Napi::Error, which aborts the process when the environment is just being terminated.
  napi_throw_error(env, nullptr, message.c_str());
  return env.Undefined();
}

void DefineClass(napi_env env, napi_value exports, const char* name, napi_callback construct) {
  napi_value function = nullptr;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, construct, nullptr, &function) != napi_ok)
    return;
  napi_set_named_property(env, exports, name, function);
}

double NumberAt(const Napi::CallbackInfo& info, size_t index) {
  double number = 0;
  return index < info.Length() && napi_get_value_double(info.Env(), info[index], &number) == napi_ok
             ? number
             : 0;
}

uint32_t Uint32At(const Napi::CallbackInfo& info, size_t index) {
  const uint64_t number = ToUint64(NumberAt(info, index));
  return number > UINT32_MAX ? UINT32_MAX : static_cast<uint32_t>(number);
}

}  // namespace addon
