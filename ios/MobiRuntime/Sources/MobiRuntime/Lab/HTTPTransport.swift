import Foundation

/// What a request asks of the lab server.
public struct HTTPRequest: Equatable, Sendable {
  /// "GET" or "POST".
  public var method: String
  /// From the server's root, percent-encoded: "/v1/runs".
  public var path: String
  /// Header fields.
  public var headers: [String: String]
  /// Empty for GET.
  public var body: Data

  /// Asks for a path.
  public init(method: String = "GET", path: String, headers: [String: String] = [:], body: Data = Data()) {
    self.method = method
    self.path = path
    self.headers = headers
    self.body = body
  }
}

/// What a server answers: the head, then the body as it comes.
public struct HTTPAnswer: Sendable {
  /// The status code.
  public let status: Int
  /// Header fields, names in lower case.
  public let headers: [String: String]
  /// Pieces of the body; dropping it ends the transfer.
  public let body: AsyncThrowingStream<Data, any Error>

  /// Names of header fields may be in any case.
  public init(status: Int, headers: [String: String], body: AsyncThrowingStream<Data, any Error>) {
    self.status = status
    self.headers = Dictionary(headers.map { ($0.key.lowercased(), $0.value) }) { first, _ in first }
    self.body = body
  }
}

/// How requests reach the lab server. `URLSessionTransport` does it for real.
public protocol HTTPTransport: Sendable {
  /// Returns when the head is there.
  ///
  /// Throws `MobiError.server` where the server cannot be reached.
  func send(_ request: HTTPRequest) async throws -> HTTPAnswer
}
