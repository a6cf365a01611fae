import Foundation

@testable import MobiRuntime

/// A server of the test's own: every request is kept, and the test answers it.
final class ScriptedTransport: HTTPTransport, @unchecked Sendable {
  private let lock = NSLock()
  private var kept: [HTTPRequest] = []
  private let answer: @Sendable (_ request: HTTPRequest, _ number: Int) throws -> HTTPAnswer
  /// What else happens while a request is under way.
  var meanwhile: @Sendable () async -> Void = {}

  /// `number` counts all requests, from 0.
  init(_ answer: @escaping @Sendable (_ request: HTTPRequest, _ number: Int) throws -> HTTPAnswer) {
    self.answer = answer
  }

  var requests: [HTTPRequest] { lock.withLock { kept } }

  func send(_ request: HTTPRequest) async throws -> HTTPAnswer {
    let number = lock.withLock {
      kept.append(request)
      return kept.count - 1
    }
    await meanwhile()
    return try answer(request, number)
  }
}

extension HTTPAnswer {
  init(_ status: Int, _ body: String, headers: [String: String] = [:]) {
    self.init(status: status, headers: headers, pieces: [Data(body.utf8)])
  }

  init(status: Int, headers: [String: String], pieces: [Data]) {
    self.init(
      status: status, headers: headers,
      body: AsyncThrowingStream { stream in
        for piece in pieces { stream.yield(piece) }
        stream.finish()
      })
  }
}

/// Time that passes at once; the waits are kept.
struct PatientTest: Sendable {
  let waits = Collected<Duration>()

  func policy(attempts: Int = 6) -> RetryPolicy {
    RetryPolicy(attempts: attempts, sleep: { waits.add($0) }, random: { 1 })
  }
}

/// A recorded answer of the lab server, and what a client must do.
struct RecordedAnswer: Decodable, Sendable {
  struct Request: Decodable, Sendable {
    let method, path: String
    let headers: [String: String]
    let lines: Int?
    let have_base64, body: String?
  }

  struct Response: Decodable, Sendable {
    let status: Int
    let headers: [String: String]
    let body, body_base64, then_repeat: String?
    let times: Int?
  }

  let request: Request
  let response: Response
  let expect: String

  static func load(_ name: String) throws -> RecordedAnswer {
    let url = ContractFiles.folder.appendingPathComponent("server/\(name).json")
    return try JSONDecoder().decode(RecordedAnswer.self, from: Data(contentsOf: url))
  }

  static func names(_ prefix: String) throws -> [String] {
    let files = try FileManager.default.contentsOfDirectory(
      atPath: ContractFiles.folder.appendingPathComponent("server").path)
    return files.filter { $0.hasPrefix(prefix) && $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }.sorted()
  }

  /// The answer as it arrives; a long one is made piece by piece, as it is read.
  func answer(noting read: Collected<Int>? = nil) -> HTTPAnswer {
    let body = response.body_base64.flatMap { Data(base64Encoded: $0) } ?? Data((response.body ?? "").utf8)
    let size = 64 * 1024
    let left = Collected<Int>()
    let (total, filler) = (response.times ?? 0, Array((response.then_repeat ?? "").utf8))
    let stream = AsyncThrowingStream<Data, any Error>(unfolding: {
      let given = left.items.reduce(0, +)
      if left.items.isEmpty {
        left.add(0)
        read?.add(body.count)
        return body
      }
      guard given < total else { return nil }
      let count = min(size, total - given)
      left.add(count)
      read?.add(count)
      return Data(repeating: filler[0], count: count)
    })
    return HTTPAnswer(status: response.status, headers: response.headers, body: stream)
  }
}
