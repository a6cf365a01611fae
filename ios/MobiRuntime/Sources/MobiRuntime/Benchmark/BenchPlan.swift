import Foundation

/// What an app measures without a hand on the phone: a file in its own storage (`mobisdk.plan/1`).
public struct BenchPlan: Equatable, Sendable {
  /// The name of the contract.
  public static let schema = "mobisdk.plan/1"
  private static let largestBytes = 64 * 1024
  private static let longestBundleName = 200
  private static let keys: Set = [
    "schema", "bundles", "mode", "runs", "samples", "seconds", "threads", "compute_units",
  ]

  /// What ends a run, or a cold start.
  public enum Mode: String, Sendable {
    /// The first load of a process that has loaded nothing: one bundle.
    case cold
    /// A number of samples.
    case burst
    /// A time.
    case sustained
  }

  /// Folders of the bundle store; none means all of them.
  public let bundles: [String]
  /// What ends a run, or a cold start.
  public let mode: Mode
  /// How much is measured; not used where `mode` is cold.
  public let config: BenchConfig
  /// Nil: the bundle's.
  public let computeUnits: ComputeUnits?

  /// Reads a plan's file.
  ///
  /// Throws `MobiError.config` that names the key: a plan that means more than this app understands is not measured.
  public init(parsing content: some Collection<UInt8>) throws {
    guard content.count <= Self.largestBytes else {
      throw MobiError.config("the plan is too large", got: "\(content.count) bytes", allowed: "at most 64 KiB")
    }
    do {
      try self.init(JSONReader(value: JSONParser.parse(content)))
    } catch JSONError.malformed(let reason) {
      throw MobiError.config("the plan is not JSON: \(reason)")
    } catch JSONError.oddValue(let path) {
      throw MobiError.config("\(path) of the plan is wrong", allowed: "finite numbers, whole characters")
    } catch let mismatch as JSONMismatch {
      throw MobiError.config("\(mismatch.path.dotted) of the plan is wrong: \(mismatch.reason)")
    }
  }

  private init(_ plan: JSONReader) throws {
    try plan["schema"].exactly(Self.schema)
    if let unknown = try plan.members.keys.filter({ !Self.keys.contains($0) }).min() {
      throw try plan[unknown].mismatch("it is not known here")
    }
    mode = try plan.optional("mode")?.choice() ?? .burst
    let names = try plan.optional("bundles")
    bundles = try names?.items.map { try $0.text(where: Self.isFolderName, "the name of a bundle's folder") } ?? []
    if let names, Set(bundles).count < bundles.count { throw names.mismatch("a bundle is there twice") }
    if mode == .cold, bundles.count != 1 {
      throw JSONMismatch(path: JSONPath(steps: [.key("bundles")]), reason: "a cold start is of exactly one bundle")
    }
    config = try BenchConfig(
      threads: try plan.optional("threads")?.nonNull?.integer(),
      mode: mode == .sustained ? .sustained : .burst, runs: try plan.optional("runs")?.integer() ?? 10,
      samples: try plan.optional("samples")?.integer() ?? 50, seconds: try plan.optional("seconds")?.number() ?? 60)
    computeUnits = try plan.optional("compute_units")?.nonNull?.choice()
  }

  private static func isFolderName(_ name: String) -> Bool {
    let bytes = Array(name.utf8)
    return (1...longestBundleName).contains(bytes.count) && bytes[0].isLetterOrDigit
      && bytes.allSatisfy { $0.isLetterOrDigit || "-._".utf8.contains($0) }
  }
}
