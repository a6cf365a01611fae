import Foundation

/// A bundle that the lab server offers.
public struct BundleSummary: Equatable, Sendable {
  /// 64 hexadecimal digits.
  public let bundleID: String
  /// What a list shows. It comes from the server and names no file.
  public let name: String
  /// Bytes of the model.
  public let sizeBytes: Int
  /// How the network was lowered.
  public let recipe: String
}

/// What the phone does after an answer that is no success.
enum LabRefusal: Error, Equatable {
  /// Ask again later, at the earliest after so many seconds.
  case retry(afterSeconds: Int?, MobiError)
  /// The token is void: join the server again.
  case signIn(MobiError)
  /// The body is too large.
  case split(MobiError)
  /// Tell the person; do not repeat by itself.
  case giveUp(MobiError)

  var error: MobiError {
    switch self {
    case .retry(_, let error), .signIn(let error), .split(let error), .giveUp(let error): error
    }
  }
}

/// Speaks the lab server's protocol over any transport; whatever the server says is checked.
public struct LabClient: Sendable {
  static let largestAnswerBytes = 1024 * 1024
  private static let longestAnswerNs = 60_000_000_000
  private static let longestDetail = 500

  private let transport: any HTTPTransport
  private let token: String?
  private let onTokenRefused: @Sendable () async -> Void
  private let clock: MonotonicClock

  /// - Parameters:
  ///   - token: this phone's own, from `join`; nil before that.
  ///   - onTokenRefused: forgets the token, which the server takes no more; the error that is thrown then asks the
  ///     person to join again.
  public init(
    transport: any HTTPTransport, token: String?, onTokenRefused: @escaping @Sendable () async -> Void = {},
    clock: MonotonicClock = .continuous
  ) {
    self.transport = transport
    self.token = token
    self.onTokenRefused = onTokenRefused
    self.clock = clock
  }

  /// Exchanges the one-time code of a QR for a token of this phone's own.
  ///
  /// Throws `MobiError.server` where the code was used already or is wrong.
  public func join(code: String, deviceName: String) async throws -> String {
    try await unwrapped { try await fetchToken(code: code, deviceName: deviceName) }
  }

  /// Throws `LabRefusal`.
  func fetchToken(code: String, deviceName: String) async throws -> String {
    let body = JSONValue.object(["code": .string(code), "name": .string(deviceName)]).canonical
    let request = HTTPRequest(
      method: "POST", path: "/v1/tokens", headers: ["Content-Type": "application/json"], body: Data(body))
    let answer = try await exchange(request, withToken: false)
    return try read(answer) { try $0["token"].text(1...4096) }
  }

  /// The bundles that the server has for this system.
  ///
  /// Throws `MobiError.server`.
  public func listBundles() async throws -> [BundleSummary] {
    try await unwrapped { try await fetchBundles() }
  }

  /// Throws `LabRefusal`.
  func fetchBundles() async throws -> [BundleSummary] {
    let answer = try await exchange(HTTPRequest(path: "/v1/bundles?platform=ios"))
    return try read(answer) { document in
      try document["bundles"].items.map { item in
        BundleSummary(
          bundleID: try item["bundle_id"].sha256(), name: try item["name"].text(),
          sizeBytes: try item["size_bytes"].integer(), recipe: try item["recipe"].text())
      }
    }
  }

  /// What the server did with the lines of one body.
  struct UploadAnswer: Equatable {
    let accepted: Int
    let duplicates: Int
    /// From line, counted from 1, to reason.
    let rejected: [Int: String]
  }

  /// Throws `LabRefusal`.
  func upload(_ lines: [Data]) async throws -> UploadAnswer {
    var body = Data()
    for line in lines { body += line + [UInt8(ascii: "\n")] }
    var request = HTTPRequest(
      method: "POST", path: "/v1/runs", headers: ["Content-Type": "application/x-ndjson"], body: body)
    if let packed = Gzip.compress(body) {
      request.headers["Content-Encoding"] = "gzip"
      request.body = packed
    }
    let answer = try await exchange(request)
    do {
      let result = try read(answer) { try Self.readUploadAnswer($0) }
      guard result.accepted + result.duplicates + result.rejected.count == lines.count,
        result.rejected.keys.allSatisfy((1...lines.count).contains)
      else { throw MobiError.server("the server's counts do not add up to the \(lines.count) runs that were sent") }
      return result
    } catch let LabRefusal.giveUp(error) {
      throw LabRefusal.retry(afterSeconds: nil, error)  // nothing is marked as sent on an answer that makes no sense
    } catch let error as MobiError {
      throw LabRefusal.retry(afterSeconds: nil, error)
    }
  }

  private static func readUploadAnswer(_ document: JSONReader) throws -> UploadAnswer {
    var rejected: [Int: String] = [:]
    for item in try document["rejected"].items {
      let line = try item["line"].integer()
      guard rejected.updateValue(try item["reason"].text(0...10_000), forKey: line) == nil else {
        throw item.mismatch("a line is rejected twice")
      }
    }
    return UploadAnswer(
      accepted: try document["accepted"].integer(0...1_000_000),
      duplicates: try document["duplicates"].integer(0...1_000_000), rejected: rejected)
  }

  /// The head of a file's transfer, and its bytes as they come; `resumeAt` bytes are here already.
  ///
  /// Throws `LabRefusal`.
  func openFile(_ path: String, of bundleID: String, sha256: String?, resumeAt: Int) async throws -> HTTPAnswer {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false).map { part in
      part.addingPercentEncoding(withAllowedCharacters: Self.unreserved) ?? ""
    }
    var request = HTTPRequest(path: "/v1/bundles/\(bundleID)/files/\(parts.joined(separator: "/"))")
    if resumeAt > 0, let sha256 {
      request.headers["Range"] = "bytes=\(resumeAt)-"
      request.headers["If-Range"] = "\"\(sha256)\""
    }
    let answer = try await send(request)
    if answer.status != 416 { try await refuseUnlessSuccess(answer) }
    return answer
  }

  private static let unreserved = CharacterSet(
    charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

  private func exchange(_ request: HTTPRequest, withToken: Bool = true) async throws -> (HTTPAnswer, Data) {
    let answer = try await send(request, withToken: withToken)
    try await refuseUnlessSuccess(answer)
    return (answer, try await collect(answer, limit: Self.largestAnswerBytes))
  }

  private func send(_ request: HTTPRequest, withToken: Bool = true) async throws -> HTTPAnswer {
    var signed = request
    if withToken, let token { signed.headers["Authorization"] = "Bearer \(token)" }
    do {
      return try await transport.send(signed)
    } catch let error as MobiError {
      throw LabRefusal.retry(afterSeconds: nil, error)
    }
  }

  /// Reads a whole body, no more of it than `limit` bytes whatever its length says, and not for ever.
  func collect(_ answer: HTTPAnswer, limit: Int) async throws -> Data {
    var body = Data()
    let begun = clock.now()
    do {
      for try await piece in answer.body {
        body += piece
        guard clock.now() - begun <= Self.longestAnswerNs else {
          throw MobiError.server("the server's answer takes longer than a minute", hint: "Try again later")
        }
        guard body.count <= limit else {
          throw LabRefusal.giveUp(
            .server(
              "the server's answer is too large", got: "more than \(limit) bytes", hint: "Is it a mobisdk server?"))
        }
      }
    } catch let error as MobiError {
      throw LabRefusal.retry(afterSeconds: nil, error)
    }
    return body
  }

  private func read<Value>(_ answer: (HTTPAnswer, Data), _ body: (JSONReader) throws -> Value) throws -> Value {
    let document: JSONReader
    do {
      document = JSONReader(value: try JSONParser.parse(answer.1))
    } catch {
      throw LabRefusal.retry(
        afterSeconds: nil,
        .server(
          "the server's answer is not JSON", got: answer.0.headers["content-type"]?.shown,
          hint: "Is another server at this address, or a sign-in page of the network?"))
    }
    do {
      return try body(document)
    } catch let mismatch as JSONMismatch {
      throw LabRefusal.giveUp(
        .server("the server's answer is wrong at \(mismatch.path.dotted): \(mismatch.reason)"))
    }
  }

  private func refuseUnlessSuccess(_ answer: HTTPAnswer) async throws {
    guard !(200...299).contains(answer.status) else { return }
    let problem = await describeProblem(answer)
    switch answer.status {
    case 401:
      await onTokenRefused()
      throw LabRefusal.signIn(.server(problem, hint: "Join the server again: scan its QR code"))
    case 413: throw LabRefusal.split(.server(problem))
    case 408, 425, 429, 500...599:
      let seconds = answer.headers["retry-after"].flatMap { Int($0) }.map { min(max($0, 0), 3600) }
      throw LabRefusal.retry(afterSeconds: seconds, .server(problem))
    default: throw LabRefusal.giveUp(.server(problem))
    }
  }

  /// The sentence of an RFC 9457 problem, or the status alone.
  private func describeProblem(_ answer: HTTPAnswer) async -> String {
    let plain = "the server answered \(answer.status)"
    guard let body = try? await collect(answer, limit: Self.largestAnswerBytes),
      case .object(let problem)? = try? JSONParser.parse(body), case .string(let detail)? = problem["detail"]
    else { return plain }
    return "\(plain): \(detail.prefix(Self.longestDetail).replacing("\n", with: " "))"
  }

  private func unwrapped<Value>(_ body: () async throws -> Value) async throws -> Value {
    do {
      return try await body()
    } catch let refusal as LabRefusal {
      throw refusal.error
    }
  }
}
