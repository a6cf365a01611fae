import Foundation
import Testing

@testable import MobiRuntime

/// Compiled once a bundle and a build of iOS; a compile that was cut off is told once.
@Suite struct CompiledModelStoreTests {
  private let scratch: ScratchFolder
  private let bundle: ModelBundle

  init() throws {
    scratch = try ScratchFolder()
    let folder = scratch.url.appendingPathComponent("bundle")
    try FileManager.default.copyItem(at: ContractFiles.folder.appendingPathComponent("bundles/ios"), to: folder)
    bundle = try ModelBundle.open(folder)
  }

  private var root: URL { scratch.url.appendingPathComponent("compiled") }

  private func store(osBuild: String = "22B91", processID: String = "one") -> CompiledModelStore {
    CompiledModelStore(at: root, osBuild: osBuild, processID: processID)
  }

  /// Plays Core ML: takes 5 ns, leaves a folder elsewhere.
  private final class FakeCompiler: @unchecked Sendable {
    var nowNs = 0
    var compiled: [String] = []
    let folder: URL

    init(in scratch: ScratchFolder) { folder = scratch.url }

    var clock: MonotonicClock { MonotonicClock { self.nowNs } }

    func compile(_ package: URL) throws -> URL {
      nowNs += 5
      compiled.append(package.lastPathComponent)
      let made = folder.appendingPathComponent(UUID().uuidString)
      try FileManager.default.createDirectory(at: made, withIntermediateDirectories: true)
      return made
    }
  }

  private func entry(
    _ store: CompiledModelStore, _ compiler: FakeCompiler, units: ComputeUnits = .all
  ) async throws -> CompiledModelStore.Entry {
    try await store.entry(for: bundle, units: units, clock: compiler.clock) { try compiler.compile($0) }
  }

  @Test func theFirstStartCompilesAndIsCold() async throws {
    let compiler = FakeCompiler(in: scratch)
    let first = try await entry(store(), compiler)
    #expect(first.compileNs == 5)
    #expect(first.cacheState == .cold)
    #expect(FileManager.default.fileExists(atPath: first.url.path))
    #expect(compiler.compiled == ["model.mlpackage"])
  }

  @Test func laterStartsAreWarmOnceTheseUnitsWereLoaded() async throws {
    let compiler = FakeCompiler(in: scratch)
    try await entry(store(), compiler).noteLoaded()
    let again = try await entry(store(processID: "two"), compiler)
    #expect(again.compileNs == nil)
    #expect(again.cacheState == .warm)
    #expect(try await entry(store(), compiler, units: .cpuOnly).cacheState == .unknown)
    #expect(compiler.compiled.count == 1)
  }

  @Test func anotherBuildOfIOSCompilesAnewAndKeepsNothingOfTheOld() async throws {
    let compiler = FakeCompiler(in: scratch)
    try await entry(store(), compiler).noteLoaded()
    let updated = try await entry(store(osBuild: "Version 18.2 (Build 22C152)"), compiler)
    #expect(updated.cacheState == .cold)
    #expect(try FileManager.default.contentsOfDirectory(atPath: root.path) == ["Version182Build22C152"])
  }

  @Test func aCompileThatTheSystemCutOffIsToldOnceAndThenTriedAgain() async throws {
    let compiler = FakeCompiler(in: scratch)
    let folder = root.appendingPathComponent("22B91")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let marker = folder.appendingPathComponent("\(bundle.manifest.bundleID).compiling")
    try Data("killed".utf8).write(to: marker)
    do {
      _ = try await entry(store(), compiler)
      Issue.record("it must be refused once")
    } catch MobiError.device(let what, _, _, _) {
      #expect(what.contains("did not end"))
    }
    #expect(compiler.compiled.isEmpty)
    #expect(try await entry(store(), compiler).compileNs == 5)
  }

  @Test func theMarkerLiesThereWhileTheCompileRunsAndGoesWithIt() async throws {
    let compiler = FakeCompiler(in: scratch)
    let marker = root.appendingPathComponent("22B91/\(bundle.manifest.bundleID).compiling")
    _ = try await store().entry(for: bundle, units: .all, clock: compiler.clock) { package in
      #expect(try String(contentsOf: marker, encoding: .utf8) == "one")
      return try compiler.compile(package)
    }
    #expect(!FileManager.default.fileExists(atPath: marker.path))
  }

  @Test func aCompileThatFailsIsSaidAndLeavesNothing() async throws {
    struct Refusal: LocalizedError {
      var errorDescription: String? { "unsupported op" }
    }
    do {
      _ = try await store().entry(for: bundle, units: .all, clock: .continuous) { _ in throw Refusal() }
      Issue.record("it must fail")
    } catch MobiError.conversion(let what, _, _, let hint) {
      #expect(what.contains("unsupported op") && what.contains(bundle.manifest.name))
      #expect(hint != nil)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: root.appendingPathComponent("22B91").path).isEmpty)
  }

  @Test func aDamagedPackageIsNeverCompiled() async throws {
    let compiler = FakeCompiler(in: scratch)
    let weights = bundle.directory.appendingPathComponent("model.mlpackage/Data/com.apple.CoreML/weights/weight.bin")
    var content = try Data(contentsOf: weights)
    content[3] ^= 1
    try content.write(to: weights)
    await #expect(throws: MobiError.self) { try await entry(store(), compiler) }
    #expect(compiler.compiled.isEmpty)
  }

  @Test func aBundleRemovedWhileItIsInUseIsSaid() async throws {
    let compiler = FakeCompiler(in: scratch)
    try FileManager.default.removeItem(at: bundle.directory)
    do {
      _ = try await entry(store(), compiler)
      Issue.record("it must fail")
    } catch MobiError.bundle(let what, _, _, _) {
      #expect(what.contains("cannot be read any more"))
    }
  }

  @Test func whatIsKeptOfARemovedBundleGoesToo() async throws {
    let compiler = FakeCompiler(in: scratch)
    try await entry(store(), compiler).noteLoaded()
    try store().remove(bundle.manifest.bundleID)
    #expect(try FileManager.default.contentsOfDirectory(atPath: root.appendingPathComponent("22B91").path).isEmpty)
    try store(osBuild: "never used").remove(bundle.manifest.bundleID)
  }
}
