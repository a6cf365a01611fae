import AllocationCounter
import Foundation
import MobiRuntime

/// What the library's own code costs, in an optimized build, over a network that does nothing.
enum Measurements {
  private static let samples = 2_000
  private static let mostOverheadNs = 10_000
  private static let mostPreprocessNs = 40_000_000

  /// Prints a figure a line and its bound; times only `withTimes`, on a computer that does nothing else.
  ///
  /// Throws `MobiError.device` where a bound is broken.
  static func run(withTimes: Bool) async throws {
    var broken: [String] = []
    func report(_ name: String, _ value: Int, atMost bound: Int) {
      say("\(name): \(value), at most \(bound)")
      if value > bound { broken.append(name) }
    }
    let before = count_allocations()
    let (run, allocations) = try await measureRunner()
    guard count_allocations() > before else {
      throw MobiError.unsupported("allocations cannot be counted here", hint: "Run it on Linux with glibc")
    }
    report("allocations in \(samples - 1) samples", allocations, atMost: 0)
    if withTimes {
      report("overhead of a sample, ns (median)", median(overheads(of: run)), atMost: mostOverheadNs)
      report("4000×3000 to 224, ns (median of 21)", try measurePreprocessor(), atMost: mostPreprocessNs)
    }
    guard broken.isEmpty else { throw MobiError.device("too much: \(broken.joined(separator: ", "))") }
  }

  /// A burst over the contract's bundle, and how much was allocated between its first and its last inference.
  private static func measureRunner() async throws -> (LatencyRun, allocations: Int) {
    let bundle = try ModelBundle.open(contractBundle)
    let counts = Counts()
    let runner = BenchmarkRunner(
      config: try BenchConfig(runs: 1, samples: samples),
      facts: HostFacts(
        app: AppInfo(name: "FakePhone", version: "1.0", build: nil),
        foreground: ForegroundMonitor(isForeground: true)),
      openClassifier: { FakeClassifier(try $0.goldenOutput(), onForward: counts.note) },
      loadImage: { _ in try RGBAImage(width: 640, height: 480, bytes: [UInt8](repeating: 255, count: 640 * 480 * 4)) })
    let delivered = Delivered()
    try await runner.run([bundle]) { delivered.run = $0 }
    guard let run = delivered.run else { throw MobiError.device("no run was delivered") }
    return (run, counts.ofLast(samples))
  }

  /// The time between two samples that neither preprocessing, the network nor the top five account for.
  private static func overheads(of run: LatencyRun) -> [Int] {
    (1..<run.sampleAtNs.count).map { index in
      let accounted = run.preprocessNs[index - 1] + run.inferenceNs[index - 1] + run.postprocessNs[index - 1]
      return run.sampleAtNs[index] - run.sampleAtNs[index - 1] - accounted
    }
  }

  private static func measurePreprocessor() throws -> Int {
    let (width, height) = (4000, 3000)
    var bytes = [UInt8](repeating: 255, count: width * height * 4)
    for index in stride(from: 0, to: bytes.count, by: 4) {
      for channel in 0..<3 { bytes[index + channel] = UInt8(truncatingIfNeeded: index / 4 &* 31 + channel) }
    }
    let photo = try RGBAImage(width: width, height: height, bytes: bytes)
    var preprocessor = try Preprocessor(resize: 224, crop: 224)
    var pixels: [UInt8] = []
    let clock = MonotonicClock.continuous
    return median(
      try (0..<21).map { _ in
        let begun = clock.now()
        try preprocessor.preprocess(photo, into: &pixels)
        return clock.now() - begun
      })
  }

  private static func median(_ values: [Int]) -> Int {
    values.sorted()[values.count / 2]
  }

  private static let contractBundle: URL = {
    var repository = URL(fileURLWithPath: #filePath)
    for _ in 0..<5 { repository.deleteLastPathComponent() }
    return repository.appendingPathComponent("tests/contract/bundles/ios")
  }()

  private final class Delivered: @unchecked Sendable {
    var run: LatencyRun?
  }

  /// Allocations so far, at every inference; the memory for them is there before the first.
  private final class Counts: @unchecked Sendable {
    private var counts = [Int](repeating: 0, count: samples + 1000)
    private var calls = 0

    func note() {
      counts[calls] = count_allocations()
      calls += 1
    }

    func ofLast(_ samples: Int) -> Int {
      counts[calls - 1] - counts[calls - samples]
    }
  }
}
