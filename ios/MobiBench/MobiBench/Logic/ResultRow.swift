import Foundation
import MobiRuntime

/// A line of the results' table: the runs of one bundle, mode and compute units on this phone.
struct ResultRow: Equatable, Identifiable, Sendable {
  let id: String
  let bundleName: String
  let mode: LatencyRun.Mode
  /// Nil where none were asked for.
  let computeUnits: String?
  /// Runs that count.
  let runs: Int
  /// Runs that left the foreground: they are in the log and marked, and in no figure here.
  let marked: Int
  /// Of all samples of the runs that count; nil for cold starts.
  let medianNs: Int?
  let p90Ns: Int?
  /// Medians over the runs that count.
  let loadNs: Int?
  let firstInferenceNs: Int?

  /// One row a bundle, mode and compute units, in the log's order.
  static func rows(of runs: [LatencyRun]) -> [ResultRow] {
    var order: [String] = []
    var groups: [String: [LatencyRun]] = [:]
    for run in runs {
      let key = "\(run.bundle.bundleID) \(run.mode.rawValue) \(run.runtime.computeUnits ?? "-")"
      if groups[key] == nil { order.append(key) }
      groups[key, default: []].append(run)
    }
    return order.compactMap { key in groups[key].flatMap { ResultRow(id: key, $0) } }
  }

  private init?(id: String, _ all: [LatencyRun]) {
    guard let first = all.first else { return nil }
    let counted = all.filter { $0.conditions.foreground != false }
    let samples = counted.flatMap(\.inferenceNs).sorted()
    self.id = id
    bundleName = Self.bundleName(of: first)
    mode = first.mode
    computeUnits = first.runtime.computeUnits
    runs = counted.count
    marked = all.count - counted.count
    medianNs = Self.quantile(0.5, ofSorted: samples)
    p90Ns = Self.quantile(0.9, ofSorted: samples)
    loadNs = Self.quantile(0.5, ofSorted: counted.compactMap(\.loadNs).sorted())
    firstInferenceNs = Self.quantile(0.5, ofSorted: counted.compactMap(\.firstInferenceNs).sorted())
  }

  /// Linear between the two nearest order statistics, as NumPy's default; nil of nothing.
  static func quantile(_ q: Double, ofSorted values: [Int]) -> Int? {
    guard let last = values.indices.last else { return nil }
    let place = q * Double(last)
    let below = Int(place)
    let above = min(below + 1, last)
    let value = Double(values[below]) + (place - Double(below)) * Double(values[above] - values[below])
    return Int(value.rounded())
  }

  private static func bundleName(of run: LatencyRun) -> String {
    let bundle = run.bundle
    var parts = [bundle.arch ?? "module"]
    if let alpha = bundle.alpha { parts.append("a" + String(format: "%g", alpha)) }
    if let resolution = bundle.resolution { parts.append("r\(resolution)") }
    return (parts + [bundle.recipe, String(bundle.bundleID.prefix(8))]).joined(separator: "-")
  }
}
