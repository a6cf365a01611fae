import Foundation

/// An artefact that is ready to run and has run once, correctly.
struct OpenedBundle {
  let startedAt: String
  let conditions: Conditions
  let foreground: ForegroundMonitor.State?
  let classifier: any Classifier
  let loadNs: Int
  let firstInferenceNs: Int
  let golden: GoldenCheck

  /// A run without samples: what is known once the last one was taken.
  func describe(
    _ bundle: ModelBundle, as mode: LatencyRun.Mode, _ facts: any DeviceFacts, processID: String, peakBytes: Int?
  ) async -> LatencyRun {
    var conditions = conditions
    conditions.thermalAfter = facts.readThermalState()
    let left = leftForeground(facts.readForeground())
    conditions.foreground = left.map { !$0 }
    let placement = await classifier.readPlacement()
    return LatencyRun(
      runID: UUID().uuidString.lowercased(), sessionID: UUID().uuidString.lowercased(), processID: processID,
      runIndex: 0, startedAt: startedAt, mode: mode, app: facts.app, device: facts.device,
      bundle: BundleRef(bundle.manifest), runtime: classifier.runtime, placement: placement,
      conditions: conditions, cacheState: classifier.cacheState, compileNs: classifier.compileNs,
      loadNs: loadNs, firstInferenceNs: firstInferenceNs, peakMemoryBytes: peakBytes,
      golden: golden, notes: left == true ? "the app left the foreground during this run" : nil)
  }

  private func leftForeground(_ now: ForegroundMonitor.State?) -> Bool? {
    guard let foreground, let now else { return nil }
    return !foreground.isForeground || !now.isForeground || foreground.departures != now.departures
  }
}

extension BundleRef {
  /// What a manifest says of itself.
  init(_ manifest: Manifest) {
    self.init(
      bundleID: manifest.bundleID, variantID: manifest.variantID, spec: manifest.model.spec, arch: manifest.model.arch,
      alpha: manifest.model.alpha, resolution: manifest.model.resolution, recipe: manifest.target.recipe,
      weightsSource: manifest.model.weightsSource)
  }
}
