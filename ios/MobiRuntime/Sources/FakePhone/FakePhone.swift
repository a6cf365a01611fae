import Foundation
import MobiRuntime

#if canImport(Darwin)
  /// A Mac speaks TLS only, as a phone does.
  private func makeTransport(port: Int) throws -> any HTTPTransport {
    throw MobiError.unsupported("plain HTTP to this computer is for tests on Linux")
  }
#else
  private func makeTransport(port: Int) throws -> any HTTPTransport {
    try PinnedTransport(loopbackPort: port)
  }
#endif

/// What an app does with a lab server, from the library's own parts; all that it knows lies in one folder.
struct FakePhone {
  private static let app = AppInfo(name: "FakePhone", version: "1.0", build: nil)

  private let folder: URL
  private let transport: any HTTPTransport

  init(port: Int, folder: URL) throws {
    self.folder = folder
    transport = try makeTransport(port: port)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  static func makeRunner(_ config: BenchConfig) -> BenchmarkRunner {
    BenchmarkRunner(
      config: config, facts: HostFacts(app: app), openClassifier: { FakeClassifier(try $0.goldenOutput()) },
      loadImage: { try goldenPixels(beside: $0) }, coldStarter: ChildProcess())
  }

  /// Joins, fetches, measures and uploads, going on where an earlier start was killed.
  func visitLab(code: String) async throws {
    let client = try await join(code: code)
    let store = BundleStore(at: folder.appendingPathComponent("bundles"))
    var bundles: [ModelBundle] = []
    for offered in try await client.listBundles() {
      say("fetching \(offered.name)")
      bundles.append(try await store.download(offered.bundleID, from: client))
      say("fetched \(offered.name)")
    }
    let log = LatencyLog(at: folder.appendingPathComponent("runs.jsonl"))
    let config = try BenchConfig(runs: 5, samples: 20, coldStarts: 1)
    try await Self.makeRunner(config).run(bundles) { run in
      try await log.append(run)
      say("logged \(run.runID)")
    }
    say("uploading")
    let progress = try await Uploader(log: log.url, client: client).sendAll()
    say("uploaded \(progress.accepted) \(progress.duplicates) \(progress.rejected.count)")
  }

  private func join(code: String) async throws -> LabClient {
    let file = folder.appendingPathComponent("token")
    if let token = try? String(contentsOf: file, encoding: .utf8) {
      return LabClient(transport: transport, token: token)
    }
    let token = try await LabClient(transport: transport, token: nil).join(code: code, deviceName: "FakePhone")
    try Data(token.utf8).write(to: file, options: .atomic)
    return LabClient(transport: transport, token: token)
  }

  /// Linux has no decoder: the golden image as it goes into the network.
  private static func goldenPixels(beside image: URL) throws -> RGBAImage {
    let bundle = try ModelBundle.open(image.deletingLastPathComponent())
    let rgb = try bundle.goldenInput()
    var bytes: [UInt8] = []
    for start in stride(from: 0, to: rgb.count, by: 3) { bytes += rgb[start..<start + 3] + [255] }
    return try RGBAImage(width: bundle.manifest.input.width, height: bundle.manifest.input.height, bytes: bytes)
  }
}

#if os(macOS) || os(Linux)
  /// Starts this program again for each cold start.
  private struct ChildProcess: ColdStarter {
    func startCold(_ bundle: ModelBundle, threads: Int?) async throws -> LatencyRun {
      let child = Process()
      child.executableURL = Bundle.main.executableURL
      child.arguments = ["cold", bundle.directory.path]
      let output = Pipe()
      child.standardOutput = output
      try child.run()
      let line = try output.fileHandleForReading.readToEnd() ?? Data()
      child.waitUntilExit()
      guard child.terminationStatus == 0 else {
        throw MobiError.device(
          "a cold start of \(bundle.manifest.name) failed", got: "exit status \(child.terminationStatus)")
      }
      return try LatencyRun(jsonLine: line.dropLast())
    }
  }
#endif
