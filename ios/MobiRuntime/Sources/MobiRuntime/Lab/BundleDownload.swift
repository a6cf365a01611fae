import Foundation

/// Fetches one bundle, file by file, into a folder of its own; what a broken transfer left is gone on with.
struct BundleDownload {
  private static let mostRestarts = 3

  let client: LabClient
  let retry: RetryPolicy
  let bundleID: String
  /// Where the files come; it is not the bundle's place yet.
  let folder: URL

  /// Returns when every byte is there and right.
  ///
  /// Throws `LabRefusal`, `MobiError`.
  func run(onProgress: @Sendable (_ share: Double) -> Void) async throws {
    let manifest = try await fetchManifest()
    let total = max(1, manifest.files.values.reduce(0) { $0 + $1.sizeBytes })
    var done = 0
    for (path, entry) in manifest.files.sorted(by: { $0.key < $1.key }) {
      try await fetch(path, entry) { onProgress(Double(done + $0) / Double(total)) }
      done += entry.sizeBytes
    }
  }

  private func fetchManifest() async throws -> Manifest {
    var content = Data()
    try await repeating {
      let answer = try await client.openFile(Manifest.fileName, of: bundleID, sha256: nil, resumeAt: 0)
      content = try await client.collect(answer, limit: Manifest.largestBytes)
      if let length = answer.headers["content-length"].flatMap({ Int($0) }), content.count < length {
        throw LabRefusal.retry(afterSeconds: nil, .server("the transfer of \(Manifest.fileName) broke off"))
      }
    }
    let manifest = try Manifest(parsing: Array(content))
    guard manifest.bundleID == bundleID else {
      throw MobiError.server("the server sent another bundle", got: manifest.bundleID, allowed: bundleID)
    }
    try BundleListing.checkNames(manifest.files.keys)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try content.write(to: folder.appendingPathComponent(Manifest.fileName), options: .atomic)
    return manifest
  }

  /// Until the file's size and hash are the manifest's.
  private func fetch(_ path: String, _ entry: Manifest.FileEntry, tell: (Int) -> Void) async throws {
    let url = folder.appendingPathComponent(path)
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    var restarts = 0
    while true {
      do {
        try await repeating(unlessFurther: { (try? sizeOnDisk(url)) ?? 0 }) {
          try await transfer(path, entry, to: url, tell: tell)
        }
        guard try SHA256.hexDigest(ofFileAt: url) == entry.sha256 else { throw Restart(reason: "its hash differs") }
        return
      } catch let restart as Restart {
        try? FileManager.default.removeItem(at: url)
        restarts += 1
        guard restarts < Self.mostRestarts else {
          throw MobiError.server(
            "\(path.shown) came wrong \(restarts) times: \(restart.reason)",
            hint: "Export the bundle again on the server")
        }
      }
    }
  }

  /// What came of this file is worthless.
  private struct Restart: Error {
    let reason: String
  }

  private func transfer(_ path: String, _ entry: Manifest.FileEntry, to url: URL, tell: (Int) -> Void) async throws {
    var size = try sizeOnDisk(url)
    if size > entry.sizeBytes { throw Restart(reason: "more bytes are here than the manifest says") }
    if size == entry.sizeBytes, size > 0 { return }
    let answer = try await client.openFile(path, of: bundleID, sha256: entry.sha256, resumeAt: size)
    try checkHead(answer, entry, resumeAt: size)
    if !FileManager.default.fileExists(atPath: url.path) { try Data().write(to: url) }
    let file = try FileHandle(forUpdating: url)
    defer { try? file.close() }
    if answer.status != 206 { size = 0 }
    try file.truncate(atOffset: UInt64(size))
    do {
      for try await piece in answer.body {
        size += piece.count
        guard size <= entry.sizeBytes else { throw Restart(reason: "it is longer than the manifest says") }
        try file.write(contentsOf: piece)
        tell(size)
      }
      try file.synchronize()
    } catch let error as MobiError {
      throw LabRefusal.retry(afterSeconds: nil, error)
    }
    guard size == entry.sizeBytes else {
      throw LabRefusal.retry(afterSeconds: nil, .server("the transfer of \(path.shown) broke off"))
    }
  }

  private func checkHead(_ answer: HTTPAnswer, _ entry: Manifest.FileEntry, resumeAt size: Int) throws {
    if answer.headers["content-type"]?.hasPrefix("text/html") == true {
      throw LabRefusal.retry(
        afterSeconds: nil,
        .server("the server sent a web page instead of a file", hint: "Is it a sign-in page of the network?"))
    }
    if answer.status == 416 { throw Restart(reason: "the server has fewer bytes") }
    if let hash = answer.headers["x-content-sha256"], hash != entry.sha256 {
      throw Restart(reason: "the server has another file")
    }
    guard answer.status == 206 else { return }
    if let tag = answer.headers["etag"], tag != "\"\(entry.sha256)\"" {
      throw Restart(reason: "the server has another file")
    }
    guard answer.headers["content-range"] == "bytes \(size)-\(entry.sizeBytes - 1)/\(entry.sizeBytes)" else {
      throw Restart(reason: "the server sent other bytes than were asked for")
    }
  }

  private func sizeOnDisk(_ url: URL) throws -> Int {
    guard FileManager.default.fileExists(atPath: url.path) else { return 0 }
    return (try FileManager.default.attributesOfItem(atPath: url.path)[.size] as? NSNumber)?.intValue ?? 0
  }

  /// Repeats `body`; a failure after which more bytes are here than after the one before counts as the first.
  private func repeating(unlessFurther readSize: () -> Int = { 0 }, _ body: () async throws -> Void) async throws {
    var failures = 0
    var size = readSize()
    while true {
      do {
        return try await body()
      } catch LabRefusal.retry(let seconds, let error) {
        let reached = readSize()
        failures = reached > size ? 1 : failures + 1
        size = reached
        guard failures < retry.attempts else { throw error }
        try await retry.wait(before: failures, atLeastSeconds: seconds)
      }
    }
  }
}
