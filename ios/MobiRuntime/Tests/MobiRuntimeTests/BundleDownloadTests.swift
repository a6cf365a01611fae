import Foundation
import Testing

@testable import MobiRuntime

/// The recorded answers to a file of a bundle, one at a time between right ones.
@Suite struct BundleDownloadTests {
  private static let model = "model.pte"

  /// Answers as the lab server does, from the good bundle.
  static func serve(_ request: HTTPRequest, _ bundle: ModelBundle) throws -> HTTPAnswer {
    let prefix = "/v1/bundles/\(bundle.manifest.bundleID)/files/"
    guard request.path.hasPrefix(prefix) else { return HTTPAnswer(404, "{}") }
    let name = String(request.path.dropFirst(prefix.count))
    let content = try Data(contentsOf: bundle.directory.appendingPathComponent(name))
    let digest = SHA256.hexDigest(of: content)
    var headers = ["ETag": "\"\(digest)\"", "X-Content-SHA256": digest, "Content-Type": "application/octet-stream"]
    if let range = request.headers["Range"], request.headers["If-Range"] == headers["ETag"] {
      let start = Int(range.dropFirst("bytes=".count).dropLast())!
      headers["Content-Range"] = "bytes \(start)-\(content.count - 1)/\(content.count)"
      return HTTPAnswer(status: 206, headers: headers, pieces: [content[start...]])
    }
    headers["Content-Length"] = "\(content.count)"
    return HTTPAnswer(status: 200, headers: headers, pieces: [content])
  }

  private static func files() throws -> [String] {
    try (RecordedAnswer.names("file") + RecordedAnswer.names("resume")).filter { $0 != "file_of_text" }
  }

  @Test func everyAnswerToAFileIsTakenAsExpected() async throws {
    let names = try Self.files()
    #expect(names.count >= 14)
    for name in names {
      let recorded = try RecordedAnswer.load(name)
      if recorded.expect == "give_up" {
        let transport = ScriptedTransport { _, _ in recorded.answer() }
        let client = LabClient(transport: transport, token: "a-token")
        let word = await LabClientTests.word {
          _ = try await client.openFile("secret.txt", of: String(repeating: "0", count: 64), sha256: nil, resumeAt: 0)
        }
        #expect(word == "give_up", "\(name)")
      } else {
        try await check(name, recorded)
      }
    }
  }

  private func check(_ name: String, _ recorded: RecordedAnswer) async throws {
    let bundle = try ContractFiles.androidBundle()
    let scratch = try ScratchFolder()
    let folder = scratch.url.appendingPathComponent("partial")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    if let have = recorded.request.have_base64.flatMap({ Data(base64Encoded: $0) }) {
      try have.write(to: folder.appendingPathComponent(Self.model))
    }
    let seen = Collected<HTTPRequest>()
    let transport = ScriptedTransport { request, _ in
      guard request.path.hasSuffix("/" + Self.model) else { return try Self.serve(request, bundle) }
      seen.add(request)
      return try seen.items.count == 1 ? recorded.answer() : Self.serve(request, bundle)
    }
    let patience = PatientTest()
    try await BundleDownload(
      client: LabClient(transport: transport, token: "a-token"), retry: patience.policy(),
      bundleID: bundle.manifest.bundleID, folder: folder
    ).run { _ in }
    try ModelBundle.open(folder).verifyFiles()
    let first = try #require(seen.items.first)
    #expect(first.headers.filter { $0.key != "Accept-Encoding" } == recorded.request.headers, "\(name)")
    #expect(first.path == recorded.request.path, "\(name)")
    let second = seen.items.dropFirst().first
    switch recorded.expect {
    case "use": #expect(second == nil, "\(name)")
    case "resume":
      #expect(second?.headers["Range"] == "bytes=24-", "\(name)")
      #expect(second?.headers["If-Range"] == "\"\(bundle.manifest.files[Self.model]!.sha256)\"", "\(name)")
    case "restart_download": #expect(second != nil && second?.headers["Range"] == nil, "\(name)")
    case "retry": #expect(second != nil && !patience.waits.items.isEmpty, "\(name)")
    default: Issue.record("\(recorded.expect) is unknown")
    }
  }

  @Test func aFileThatComesWrongThreeTimesIsGivenUp() async throws {
    let bundle = try ContractFiles.androidBundle()
    let scratch = try ScratchFolder()
    let recorded = try RecordedAnswer.load("file_wrong_hash")
    let transport = ScriptedTransport { request, _ in
      try request.path.hasSuffix("/" + Self.model) ? recorded.answer() : Self.serve(request, bundle)
    }
    let store = BundleStore(at: scratch.url)
    let client = LabClient(transport: transport, token: "a-token")
    let error = await thrownError {
      try await store.download(bundle.manifest.bundleID, from: client, retry: PatientTest().policy())
    }
    #expect(error?.description.contains("'model.pte' came wrong 3 times") == true)
    #expect(transport.requests.filter { $0.path.hasSuffix(Self.model) }.count == 3)
    #expect(try await store.list().bundles.isEmpty)
  }

  @Test func aTransferThatGetsFurtherEachTimeIsNotGivenUp() async throws {
    let bundle = try ContractFiles.androidBundle()
    let scratch = try ScratchFolder()
    let transport = ScriptedTransport { request, _ in
      let answer = try Self.serve(request, bundle)
      guard request.path.hasSuffix("/" + Self.model) else { return answer }
      let start = request.headers["Range"].flatMap { Int($0.dropFirst(6).dropLast()) } ?? 0
      let content = try Data(contentsOf: bundle.directory.appendingPathComponent(Self.model))
      return HTTPAnswer(status: answer.status, headers: answer.headers, pieces: [content[start..<start + 4]])
    }
    let store = BundleStore(at: scratch.url)
    let shares = Collected<Double>()
    let placed = try await store.download(
      bundle.manifest.bundleID, from: LabClient(transport: transport, token: "a-token"),
      retry: PatientTest().policy(attempts: 2)
    ) { shares.add($0) }
    try placed.verifyFiles()
    #expect(transport.requests.filter { $0.path.hasSuffix(Self.model) }.count == 16)
    #expect(shares.items == shares.items.sorted())
    #expect(shares.items.last! <= 1)
  }

  @Test func aServerThatStaysAwayEndsTheDownloadAndItGoesOnLater() async throws {
    let bundle = try ContractFiles.androidBundle()
    let scratch = try ScratchFolder()
    let broken = ScriptedTransport { request, _ in
      guard request.path.hasSuffix("/" + Self.model) else { return try Self.serve(request, bundle) }
      guard request.headers["Range"] == nil else { throw MobiError.server("the server is gone") }
      return HTTPAnswer(
        status: 200, headers: [:],
        pieces: [try Data(contentsOf: bundle.directory.appendingPathComponent(Self.model)).prefix(10)])
    }
    let patience = PatientTest()
    let client = LabClient(transport: broken, token: "a-token")
    let error = await thrownError {
      try await BundleStore(at: scratch.url).download(
        bundle.manifest.bundleID, from: client, retry: patience.policy(attempts: 3))
    }
    #expect(error == .server("the server is gone"))
    #expect(patience.waits.items == [.seconds(2), .seconds(4)])
    // The app was killed and started again: another store, the same folder.
    let whole = ScriptedTransport { request, _ in try Self.serve(request, bundle) }
    let store = BundleStore(at: scratch.url)
    let placed = try await store.download(
      bundle.manifest.bundleID, from: LabClient(transport: whole, token: "a-token"), retry: patience.policy())
    try placed.verifyFiles()
    #expect(whole.requests.filter { $0.path.hasSuffix(Self.model) }.map(\.headers["Range"]) == ["bytes=10-"])
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: scratch.url.path).allSatisfy { !$0.contains("partial") })
  }

  @Test func theManifestMustBeOfTheBundleThatWasAskedFor() async throws {
    let (asked, other) = (try ContractFiles.androidBundle(), try ContractFiles.iosBundle())
    let scratch = try ScratchFolder()
    let transport = ScriptedTransport { _, _ in
      HTTPAnswer(
        status: 200, headers: [:],
        pieces: [try Data(contentsOf: other.directory.appendingPathComponent("manifest.json"))])
    }
    let client = LabClient(transport: transport, token: "a-token")
    let error = await thrownError {
      try await BundleStore(at: scratch.url).download(asked.manifest.bundleID, from: client)
    }
    #expect(error?.description.hasPrefix("the server sent another bundle") == true)
  }

  @Test func aManifestThatBreaksOffIsAskedForAgain() async throws {
    let bundle = try ContractFiles.androidBundle()
    let scratch = try ScratchFolder()
    let transport = ScriptedTransport { request, number in
      guard number == 0 else { return try Self.serve(request, bundle) }
      return HTTPAnswer(200, "{", headers: ["Content-Length": "3000"])
    }
    let placed = try await BundleStore(at: scratch.url).download(
      bundle.manifest.bundleID, from: LabClient(transport: transport, token: "a-token"),
      retry: PatientTest().policy())
    #expect(placed.manifest.bundleID == bundle.manifest.bundleID)
  }

  @Test func aBundleIsDownloadedOnceAtATime() async throws {
    let bundle = try ContractFiles.androidBundle()
    let scratch = try ScratchFolder()
    let transport = ScriptedTransport { request, _ in try Self.serve(request, bundle) }
    let (store, client) = (BundleStore(at: scratch.url), LabClient(transport: transport, token: "a-token"))
    let errors = Collected<MobiError?>()
    transport.meanwhile = {
      errors.add(await thrownError { try await store.download(bundle.manifest.bundleID, from: client) })
    }
    try await store.download(bundle.manifest.bundleID, from: client).verifyFiles()
    #expect(errors.items.allSatisfy { $0?.description.hasPrefix("this bundle is being downloaded already") == true })
    #expect(errors.items.count == transport.requests.count)
  }

  @Test func anIdThatIsNoHashIsRefusedBeforeAnyRequest() async throws {
    let scratch = try ScratchFolder()
    let transport = ScriptedTransport { _, _ in HTTPAnswer(200, "") }
    for id in ["../../evil", String(repeating: "A", count: 64), ""] {
      let error = await thrownError {
        try await BundleStore(at: scratch.url).download(id, from: LabClient(transport: transport, token: nil))
      }
      #expect(error.map(errorName) == "ConfigError")
    }
    #expect(transport.requests.isEmpty)
  }
}
