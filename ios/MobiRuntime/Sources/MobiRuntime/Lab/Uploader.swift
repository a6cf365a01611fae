import Foundation

/// Sends a log's lines to the lab server: in batches, again and again until it answers, each run once.
///
/// What was answered is kept beside the log in `<log>.sent`, so that a kill loses nothing and doubles nothing: the
/// server knows every run by its id.
public actor Uploader {
  /// What became of the log's lines.
  public struct Progress: Equatable, Sendable {
    /// Bytes of the log that need not be sent again.
    public internal(set) var sentBytes = 0
    /// Runs that the server took.
    public internal(set) var accepted = 0
    /// Runs that it had already.
    public internal(set) var duplicates = 0
    /// Lines that it refused, or that are no runs, with their reasons.
    public internal(set) var rejected: [LatencyLog.SetAside] = []
  }

  private static let largestBatch = 50
  private static let largestBatchBytes = 4 * 1024 * 1024

  private let log: URL
  private let client: LabClient
  private let retry: RetryPolicy
  private var isSending = false

  /// Sends the log at `log` to the server of `client`.
  public init(log: URL, client: LabClient, retry: RetryPolicy = .standard) {
    self.log = log
    self.client = client
    self.retry = retry
  }

  /// What was sent so far.
  public func progress() -> Progress {
    UploadJournal(beside: log).read()
  }

  /// Sends every whole line that was not answered yet.
  ///
  /// Throws `MobiError.server` where the server refuses, is gone, or wants the phone to join again; nothing is marked
  /// as sent before its answer, and the log is never changed.
  public func sendAll() async throws -> Progress {
    guard !isSending else { throw MobiError.config("this log is being sent already", hint: "Wait until it is sent") }
    isSending = true
    defer { isSending = false }
    let journal = UploadJournal(beside: log)
    var progress = journal.read()
    var size = Self.largestBatch
    var failures = 0
    while let batch = try nextBatch(after: progress, size: size) {
      do {
        if batch.lines.isEmpty {
          progress.settle(batch, answer: nil)
        } else {
          progress.settle(batch, answer: try await client.upload(batch.lines.map(\.content)))
        }
        try journal.write(progress)
        failures = 0
      } catch LabRefusal.split(let error) {
        if batch.lines.count > 1 {
          size = batch.lines.count / 2
        } else {
          progress.reject(batch, reason: error.description)
          try journal.write(progress)
        }
      } catch LabRefusal.retry(let seconds, let error) {
        failures += 1
        guard failures < retry.attempts else { throw error }
        try await retry.wait(before: failures, atLeastSeconds: seconds)
      } catch let refusal as LabRefusal {
        throw refusal.error
      }
    }
    return progress
  }

  /// Lines of the log, those that are no runs set aside; nil where nothing is left.
  struct Batch {
    struct Line {
      let number: Int
      let content: Data
    }

    var lines: [Line] = []
    var setAside: [LatencyLog.SetAside] = []
    var end: Int
  }

  private func nextBatch(after progress: Progress, size: Int) throws -> Batch? {
    guard FileManager.default.fileExists(atPath: log.path) else { return nil }
    let content = try Data(contentsOf: log, options: .mappedIfSafe)
    let start = progress.sentBytes <= content.count ? progress.sentBytes : 0  // a log that was replaced begins anew
    var batch = Batch(end: start)
    var number = content.prefix(start).reduce(0) { $0 + ($1 == UInt8(ascii: "\n") ? 1 : 0) }
    var bytes = 0
    while let newline = content[batch.end...].firstIndex(of: UInt8(ascii: "\n")), batch.lines.count < size {
      let line = Data(content[batch.end..<newline])
      if !batch.lines.isEmpty, bytes + line.count > Self.largestBatchBytes { break }
      number += 1
      do {
        _ = try LatencyRun(jsonLine: line)
        batch.lines.append(Batch.Line(number: number, content: line))
        bytes += line.count
      } catch let error as MobiError {
        if !line.isEmpty { batch.setAside.append(.init(line: number, reason: error.description)) }
      }
      batch.end = newline + 1
    }
    return batch.end > start ? batch : nil
  }
}

extension Uploader.Progress {
  fileprivate mutating func settle(_ batch: Uploader.Batch, answer: LabClient.UploadAnswer?) {
    sentBytes = batch.end
    rejected += batch.setAside
    guard let answer else { return }
    accepted += answer.accepted
    duplicates += answer.duplicates
    for (line, reason) in answer.rejected.sorted(by: { $0.key < $1.key }) {
      rejected.append(.init(line: batch.lines[line - 1].number, reason: reason))
    }
  }

  fileprivate mutating func reject(_ batch: Uploader.Batch, reason: String) {
    sentBytes = batch.end
    rejected += batch.setAside + batch.lines.map { .init(line: $0.number, reason: reason) }
  }
}

/// `<log>.sent`: what the server answered, written whole or not at all.
private struct UploadJournal {
  private let url: URL

  init(beside log: URL) {
    url = log.appendingPathExtension("sent")
  }

  /// A journal that is gone or damaged means that nothing was sent: the server drops what it has already.
  func read() -> Uploader.Progress {
    var progress = Uploader.Progress()
    guard let content = try? Data(contentsOf: url), let value = try? JSONParser.parse(content) else { return progress }
    let document = JSONReader(value: value)
    do {
      progress.sentBytes = try document["sent_bytes"].integer()
      progress.accepted = try document["accepted"].integer()
      progress.duplicates = try document["duplicates"].integer()
      progress.rejected = try document["rejected"].items.map {
        .init(line: try $0["line"].integer(), reason: try $0["reason"].text(0...20_000))
      }
      return progress
    } catch {
      return Uploader.Progress()
    }
  }

  func write(_ progress: Uploader.Progress) throws {
    let rejected = progress.rejected.map {
      JSONValue.object(["line": .integer($0.line), "reason": .string($0.reason)])
    }
    let document = JSONValue.object([
      "sent_bytes": .integer(progress.sentBytes), "accepted": .integer(progress.accepted),
      "duplicates": .integer(progress.duplicates), "rejected": .array(rejected),
    ])
    do {
      try Data(document.canonical).write(to: url, options: .atomic)
    } catch {
      throw MobiError.device(
        "what was sent cannot be noted: \(error.localizedDescription)", hint: "Free some space and upload again")
    }
  }
}
