// SPDX-License-Identifier: Apache-2.0
// Runs the kernels on a GPU: every combination against the emulated warp, bit for bit, then what share of the device's
// copy bandwidth each estimator reaches. Exit status 77 where there is no GPU.
#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "quant/cuda/cases.h"
#include "quant/cuda/emulation.h"
#include "quant/cuda/kernels.h"
#include "quant/cuda/scalar_math.h"

namespace ridgeline::cuda {
namespace {

constexpr int kNotRun = 77;

void Check(cudaError_t error, const char* what) {
  if (error != cudaSuccess) throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(error));
}

// Numbers on the device, freed with it.
template <typename T>
class DeviceArray {
 public:
  explicit DeviceArray(size_t count) : count_(count) { Check(cudaMalloc(&numbers_, count * sizeof(T)), "cudaMalloc"); }
  explicit DeviceArray(const std::vector<T>& from) : DeviceArray(from.size()) {
    Check(cudaMemcpy(numbers_, from.data(), count_ * sizeof(T), cudaMemcpyHostToDevice), "copy to the device");
  }
  ~DeviceArray() { cudaFree(numbers_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() const { return numbers_; }
  std::vector<T> Fetch() const {
    std::vector<T> to(count_);
    Check(cudaMemcpy(to.data(), numbers_, count_ * sizeof(T), cudaMemcpyDeviceToHost), "copy from the device");
    return to;
  }

 private:
  size_t count_;
  T* numbers_ = nullptr;
};

float ToFloat(float x) { return x; }
float ToFloat(BFloat16 x) { return FloatOf(static_cast<uint32_t>(x.bits) << 16); }

template <typename T>
std::vector<T> Converted(const std::vector<float>& from) {
  std::vector<T> to(from.size());
  for (size_t i = 0; i < from.size(); ++i) {
    if constexpr (std::is_same_v<T, float>)
      to[i] = from[i];
    else
      to[i].bits = static_cast<uint16_t>(BitsOf(from[i]) >> 16);
  }
  return to;
}

// How many numbers were compared, and how many differ.
struct Tally {
  int64_t cases = 0;
  int64_t numbers = 0;
  int64_t different = 0;
  int64_t reported = 0;
};

template <typename T>
void Compare(const std::string& name, const std::vector<T>& device, const std::vector<T>& host, Tally* tally) {
  constexpr int64_t kMostReports = 20;
  for (size_t i = 0; i < device.size(); ++i) {
    const float a = ToFloat(device[i]), b = ToFloat(host[i]);
    ++tally->numbers;
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    ++tally->different;
    if (tally->reported++ < kMostReports)
      std::printf("  differs: %s, number %zu: device %.9g, host %.9g\n", name.c_str(), i, a, b);
  }
}

template <typename X, typename V>
void CompareCase(const Case& of, unsigned trouble, Tally* tally) {
  const std::vector<X> x = Converted<X>(TroubledNumbers(of, trouble));
  const std::vector<V> v = Converted<V>(RandomNumbers(of.rows * of.features, 14));
  std::vector<V> x_hat(x.size());
  std::vector<X> dx(x.size());
  EmulateForward(of.params, x.data(), of.rows, of.features, x_hat.data());
  EmulateBackward(of.params, x.data(), v.data(), of.rows, of.features, dx.data());

  const DeviceArray<X> device_x(x), device_dx(x.size());
  const DeviceArray<V> device_v(v), device_x_hat(x.size());
  Check(Forward(of.params, device_x.data(), of.rows, of.features, device_x_hat.data(), nullptr), "forward");
  Check(Backward(of.params, device_x.data(), device_v.data(), of.rows, of.features, device_dx.data(), nullptr),
        "backward");
  Check(cudaDeviceSynchronize(), of.name.c_str());
  Compare(of.name + " forward", device_x_hat.Fetch(), x_hat, tally);
  Compare(of.name + " backward", device_dx.Fetch(), dx, tally);
  ++tally->cases;
}

// Each case in each pair of types, with one kind of trouble after the other.
bool CompareEveryCase() {
  Tally tally;
  unsigned trouble = 0;
  for (const Case& of : EveryCase()) {
    CompareCase<float, float>(of, trouble++, &tally);
    CompareCase<float, BFloat16>(of, trouble++, &tally);
    CompareCase<BFloat16, BFloat16>(of, trouble++, &tally);
  }
  std::printf("compared with the host: %lld runs, %lld numbers, %lld differ\n", static_cast<long long>(tally.cases),
              static_cast<long long>(tally.numbers), static_cast<long long>(tally.different));
  return tally.different == 0;
}

// Seconds of one call of `work`, the best of several series.
double SecondsOf(const std::function<void()>& work) {
  constexpr int kSeries = 7, kCalls = 10;
  cudaEvent_t begin, end;
  Check(cudaEventCreate(&begin), "cudaEventCreate");
  Check(cudaEventCreate(&end), "cudaEventCreate");
  work();
  float best = INFINITY;
  for (int series = 0; series < kSeries; ++series) {
    float milliseconds = 0;
    Check(cudaEventRecord(begin), "cudaEventRecord");
    for (int call = 0; call < kCalls; ++call) work();
    Check(cudaEventRecord(end), "cudaEventRecord");
    Check(cudaEventSynchronize(end), "timing");
    Check(cudaEventElapsedTime(&milliseconds, begin, end), "cudaEventElapsedTime");
    best = std::min(best, milliseconds / kCalls);
  }
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
  return best / 1e3;
}

// Bytes read and written in a second by a copy within the device.
double CopyBandwidth(int64_t bytes) {
  const DeviceArray<char> from(static_cast<size_t>(bytes)), to(static_cast<size_t>(bytes));
  const double seconds = SecondsOf([&] {
    Check(cudaMemcpyAsync(to.data(), from.data(), static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice), "copy");
  });
  return 2 * static_cast<double>(bytes) / seconds;
}

template <typename X, typename V>
void TimeCase(const Case& of, const std::vector<float>& numbers, double copy_bandwidth, const char* types) {
  const DeviceArray<X> x(Converted<X>(numbers)), dx(numbers.size());
  const DeviceArray<V> v(Converted<V>(numbers)), x_hat(numbers.size());
  const double forward_seconds =
      SecondsOf([&] { Check(Forward(of.params, x.data(), of.rows, of.features, x_hat.data(), nullptr), "forward"); });
  const double backward_seconds = SecondsOf(
      [&] { Check(Backward(of.params, x.data(), v.data(), of.rows, of.features, dx.data(), nullptr), "backward"); });
  const double count = static_cast<double>(numbers.size());
  const double forward = count * (sizeof(X) + sizeof(V)) / forward_seconds;
  const double backward = count * (2 * sizeof(X) + sizeof(V)) / backward_seconds;
  std::printf("%-52s %-9s %7.0f %5.0f%% %8.0f %5.0f%%\n", of.name.c_str(), types, forward / 1e9,
              100 * forward / copy_bandwidth, backward / 1e9, 100 * backward / copy_bandwidth);
}

void TimeCases() {
  const std::vector<Case> cases = TimedCases();
  const int64_t count = cases.front().rows * cases.front().features;
  const double copy_bandwidth = CopyBandwidth(count * static_cast<int64_t>(sizeof(float)));
  std::printf("copy within the device: %.0f GB/s, read and written\n", copy_bandwidth / 1e9);
  std::printf("%-52s %-9s %7s %6s %8s %6s\n", "matrix of 64 Mi numbers", "x, x_hat", "fwd GB/s", "copy", "bwd GB/s",
              "copy");
  const std::vector<float> numbers = RandomNumbers(count, 15);
  for (const Case& of : cases) {
    TimeCase<float, float>(of, numbers, copy_bandwidth, "f32 f32");
    TimeCase<float, BFloat16>(of, numbers, copy_bandwidth, "f32 bf16");
    TimeCase<BFloat16, BFloat16>(of, numbers, copy_bandwidth, "bf16 bf16");
  }
}

int RunTest() {
  int devices = 0;
  const cudaError_t error = cudaGetDeviceCount(&devices);
  if (error != cudaSuccess || devices == 0) {
    std::printf("gpu tests: not run (no GPU on this machine: %s)\n", cudaGetErrorString(error));
    return kNotRun;
  }
  cudaDeviceProp device;
  Check(cudaGetDeviceProperties(&device, 0), "cudaGetDeviceProperties");
  std::printf("device: %s, compute capability %d.%d\n%s", device.name, device.major, device.minor,
              CoverageText().c_str());
  const bool agree = CompareEveryCase();
  TimeCases();
  std::printf("gpu tests: %s\n", agree ? "passed" : "FAILED");
  return agree ? 0 : 1;
}

}  // namespace
}  // namespace ridgeline::cuda

int main() {
  try {
    return ridgeline::cuda::RunTest();
  } catch (const std::exception& error) {
    std::printf("gpu tests: FAILED: %s\n", error.what());
    return 1;
  }
}
