import Foundation
import MobiRuntime
import SwiftUI
import UIKit

/// The app's one model: what it has, and what it is doing. Screens read it and call it; nothing else changes it.
@MainActor
final class AppModel: ObservableObject {
  /// What the app is doing: one thing at a time.
  @Published var activity = Activity.idle
  @Published var bundles: [ModelBundle] = []
  @Published var damaged: [BundleStore.Damaged] = []
  /// What the lab server has for this phone; nil before it was asked.
  @Published var offered: [BundleSummary]?
  @Published var server: LabServer?
  @Published var classification: Classification?
  @Published var settings = BenchSettings()
  @Published var results: [ResultRow] = []
  @Published var setAside: [LatencyLog.SetAside] = []
  @Published var uploaded: Uploader.Progress?
  @Published var conditions = Conditions()
  /// The plan that the app was started with, while it runs.
  @Published var planName: String?

  let storage: Storage
  let store: BundleStore
  let log: LatencyLog
  let foreground = ForegroundMonitor(isForeground: true)
  let battery = BatteryMonitor()
  let facts: PhoneFacts
  private(set) var running: Task<Void, Never>?
  private var hasStarted = false

  init(storage: Storage) {
    self.storage = storage
    store = BundleStore(at: storage.bundles)
    log = LatencyLog(at: storage.log)
    facts = PhoneFacts(foreground: foreground, battery: battery)
  }

  /// Shows what is here, and runs the plan that the app was started with. Once.
  func start(arguments: [String] = ProcessInfo.processInfo.arguments) async {
    guard !hasStarted else { return }
    hasStarted = true
    refreshConditions()
    do {
      server = try LabKeychain.read()
      let here = Set(try await store.list().bundles.map(\.directory.lastPathComponent))
      for source in Storage.builtIn {
        let name =
          source.pathExtension == "zip" ? source.deletingPathExtension().lastPathComponent : source.lastPathComponent
        if !here.contains(name) { _ = try await store.add(from: source) }
      }
    } catch {
      fail(error)
    }
    await reload()
    runLaunchPlan(arguments)
  }

  /// Reads bundles and log anew.
  func reload() async {
    do {
      let list = try await store.list()
      (bundles, damaged) = (list.bundles, list.damaged)
      settings.keepOnly(bundles.map(\.directory.lastPathComponent))
      let contents = try await log.read()
      results = ResultRow.rows(of: contents.runs)
      setAside = contents.setAside
    } catch {
      fail(error)
    }
  }

  /// The scene became active, or is not any more: a run under way pauses and is marked.
  func sceneChanged(isActive: Bool) {
    if isActive { foreground.enter() } else { foreground.leave() }
    activity.updateBenchmark { $0.isPaused = !isActive }
    refreshConditions()
  }

  /// Battery, power mode and temperature as they are now.
  func refreshConditions() {
    battery.refresh()
    conditions = facts.readConditions()
    activity.updateBenchmark { [thermal = conditions.thermalBefore] in $0.thermal = thermal }
  }

  /// Does one thing, unless another is being done; `body` ends it by returning, or by an error that is shown.
  func perform(_ next: Activity, _ body: @escaping @MainActor () async throws -> Void) {
    guard activity.begin(next) else { return }
    running = Task {
      do {
        try await body()
        activity.end()
      } catch {
        fail(error)
      }
      running = nil
    }
  }

  /// Stops what runs; whole runs are in the log already.
  func cancel() {
    running?.cancel()
  }

  /// Shows a sentence; a thing that was cancelled just ends.
  func fail(_ error: any Error) {
    if error is CancellationError {
      activity.end()
    } else {
      activity.fail(error.localizedDescription)
    }
  }

  /// Opens a classifier of a bundle on the runtime that it is made for.
  nonisolated static func open(_ bundle: ModelBundle, units: ComputeUnits?) async throws -> any Classifier {
    #if canImport(ExecuTorch)
      if bundle.manifest.target.runtime == "executorch" {
        return try ExecuTorchClassifier(bundle, version: executorchVersion)
      }
    #endif
    return try await CoreMLClassifier(bundle, units: units)
  }

  /// The package in Package Dependencies, where the app links ExecuTorch; the Python SDK's.
  private nonisolated static let executorchVersion = "1.4.1"
}
