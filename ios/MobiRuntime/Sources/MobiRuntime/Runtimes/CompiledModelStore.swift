import Foundation

/// Core ML's compiled models, kept by bundle and iOS build: another build of iOS compiles anew.
///
/// A marker lies there while a compile runs. If the system ends the app in the middle, for its memory, the next start
/// finds the marker and says so instead of being ended again without a word.
public struct CompiledModelStore: Sendable {
  private static let modelExtension = "mlmodelc"
  private static let markerExtension = "compiling"

  private let root: URL
  private let folder: URL
  private let processID: String

  /// - Parameters:
  ///   - root: made if it is not there; what is kept for other builds of iOS is removed.
  ///   - osBuild: any text that tells one build of iOS from another, such as "Version 18.1 (Build 22B91)".
  public init(at root: URL, osBuild: String) {
    self.init(at: root, osBuild: osBuild, processID: ProcessRecord.current.id)
  }

  init(at root: URL, osBuild: String, processID: String) {
    self.root = root
    self.processID = processID
    let name = osBuild.filter { $0.isASCII && ($0.isLetter || $0.isNumber) }
    folder = root.appendingPathComponent(name.isEmpty ? "unknown" : name)
  }

  /// Where the network's compiled form lies, and what that cost.
  struct Entry: Sendable {
    let url: URL
    /// Nil where it was compiled before.
    let compileNs: Int?
    fileprivate let loadedMark: URL

    /// Notes that it was loaded with these units, so that the next load finds Core ML's own caches filled.
    func noteLoaded() {
      try? Data().write(to: loadedMark)  // without the note the next run's cache state is unknown, which is true
    }

    /// What was kept before this load: nothing; all of it; or it was compiled, but never loaded with these units.
    var cacheState: LatencyRun.CacheState {
      if compileNs != nil { return .cold }
      return FileManager.default.fileExists(atPath: loadedMark.path) ? .warm : .unknown
    }
  }

  /// The compiled form of a bundle's network: the kept one, or what `compile` makes of it now, in a place that the system may empty.
  ///
  /// Every byte of the bundle is checked before it is compiled. Throws `MobiError.device` once where the last compile
  /// of this bundle did not end, `MobiError.conversion` where it fails, `MobiError.bundle`.
  func entry(
    for bundle: ModelBundle, units: ComputeUnits, clock: MonotonicClock, compile: (URL) async throws -> URL
  ) async throws -> Entry {
    let place = folder.appendingPathComponent(bundle.manifest.bundleID)
    let compiled = place.appendingPathExtension(Self.modelExtension)
    let loadedMark = place.appendingPathExtension("loaded-\(units.rawValue)")
    if FileManager.default.fileExists(atPath: compiled.path) {
      return Entry(url: compiled, compileNs: nil, loadedMark: loadedMark)
    }
    try keeping(bundle) {
      try removeOtherBuilds()
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }
    let marker = place.appendingPathExtension(Self.markerExtension)
    try refuseIfInterrupted(marker, bundle)
    try bundle.verifyFiles()
    try keeping(bundle) { try Data(processID.utf8).write(to: marker) }
    defer { try? FileManager.default.removeItem(at: marker) }
    let package = try bundle.modelURL
    let begun = clock.now()
    let made: URL
    do {
      made = try await compile(package)
    } catch let error as CancellationError {
      throw error
    } catch {
      throw MobiError.conversion(
        "Core ML cannot compile \(bundle.manifest.name): \(error.localizedDescription)",
        hint: "Export it with a recipe for this iOS, or free some space")
    }
    let compileNs = clock.now() - begun
    try keeping(bundle) {
      try? FileManager.default.removeItem(at: loadedMark)
      if !FileManager.default.fileExists(atPath: compiled.path) {
        try FileManager.default.moveItem(at: made, to: compiled)
      }
    }
    return Entry(url: compiled, compileNs: compileNs, loadedMark: loadedMark)
  }

  /// Removes what is kept of a bundle that is removed from the phone.
  public func remove(_ bundleID: String) throws {
    guard FileManager.default.fileExists(atPath: folder.path) else { return }
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where name.hasPrefix("\(bundleID).") {
      try FileManager.default.removeItem(at: folder.appendingPathComponent(name))
    }
  }

  private func refuseIfInterrupted(_ marker: URL, _ bundle: ModelBundle) throws {
    guard let starter = try? String(contentsOf: marker, encoding: .utf8), starter != processID else { return }
    try? FileManager.default.removeItem(at: marker)
    throw MobiError.device(
      "the last compile of \(bundle.manifest.name) did not end: iOS may have ended the app for its memory",
      hint: "Close other apps and try once more; a smaller variant needs less memory")
  }

  private func removeOtherBuilds() throws {
    guard FileManager.default.fileExists(atPath: root.path) else { return }
    for name in try FileManager.default.contentsOfDirectory(atPath: root.path) where name != folder.lastPathComponent {
      try FileManager.default.removeItem(at: root.appendingPathComponent(name))
    }
  }

  private func keeping(_ bundle: ModelBundle, _ body: () throws -> Void) throws {
    do {
      try body()
    } catch let error as CocoaError {
      throw MobiError.device(
        "the compiled form of \(bundle.manifest.name) cannot be kept: \(error.localizedDescription)",
        hint: "Free some space and try again")
    }
  }
}
