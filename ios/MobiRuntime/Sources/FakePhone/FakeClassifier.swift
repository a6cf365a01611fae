import MobiRuntime

/// A network that gives the golden logits without being one.
final class FakeClassifier: Classifier, @unchecked Sendable {
  let runtime = RuntimeInfo(name: "fake", version: "1", backendRequested: nil, computeUnits: nil, threads: nil)
  let compileNs: Int? = nil
  let cacheState = LatencyRun.CacheState.unknown
  private let logits: [Float]
  /// Called in every `forward`.
  private let onForward: () -> Void

  init(_ logits: [Float], onForward: @escaping () -> Void = {}) {
    self.logits = logits
    self.onForward = onForward
  }

  var readPlacement: @Sendable () async -> Placement {
    { .unknown }
  }

  func load() throws {}

  func prepare(_ pixels: [UInt8]) throws {}

  func forward(into logits: inout [Float]) throws {
    onForward()
    for index in logits.indices { logits[index] = self.logits[index] }
  }

  func close() {}
}
