import Foundation

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif
#if canImport(Security)
  import Security
#endif

/// HTTP over TLS to one lab server, known by the certificate whose fingerprint its QR code shows.
///
/// No other certificate is taken, whoever signed it. Redirects are not followed, nothing is cached, there are no cookies.
public final class PinnedTransport: HTTPTransport {
  private static let idleSeconds = 30.0

  private let base: URL
  private let session: URLSession
  private let exchanges: Exchanges

  /// Throws `MobiError.config` where the address is none.
  public convenience init(host: String, port: Int, fingerprint: String) throws {
    try self.init(scheme: "https", host: host, port: port, fingerprint: fingerprint)
  }

  #if !canImport(Darwin)
    /// Plain HTTP to this computer, for tests: Linux's URLSession cannot pin a certificate.
    package convenience init(loopbackPort: Int) throws {
      try self.init(scheme: "http", host: "127.0.0.1", port: loopbackPort, fingerprint: "")
    }
  #endif

  private init(scheme: String, host: String, port: Int, fingerprint: String) throws {
    var components = URLComponents()
    components.scheme = scheme
    components.host = host.contains(":") ? "[\(host)]" : host
    components.port = port
    guard let base = components.url else {
      throw MobiError.config("this is no server's address", got: "\(host):\(port)".shown)
    }
    self.base = base
    exchanges = Exchanges(fingerprint: fingerprint)
    let configuration = URLSessionConfiguration.ephemeral
    configuration.timeoutIntervalForRequest = Self.idleSeconds
    configuration.urlCache = nil
    configuration.httpCookieStorage = nil
    session = URLSession(configuration: configuration, delegate: exchanges, delegateQueue: nil)
  }

  deinit {
    session.invalidateAndCancel()
  }

  /// Returns when the head is there.
  ///
  /// Throws `MobiError.server` where the server cannot be reached, or is another one.
  public func send(_ request: HTTPRequest) async throws -> HTTPAnswer {
    guard let url = URL(string: request.path, relativeTo: base), request.path.hasPrefix("/"),
      !request.path.hasPrefix("//")
    else { throw MobiError.config("this is no path on a server", got: request.path.shown) }
    var message = URLRequest(url: url)
    message.httpMethod = request.method
    for (name, value) in request.headers { message.setValue(value, forHTTPHeaderField: name) }
    if !request.body.isEmpty { message.httpBody = request.body }
    let task = session.dataTask(with: message)
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { exchanges.begin(task, head: $0) }
    } onCancel: {
      task.cancel()
    }
  }
}

/// The transfers under way. The session calls it on a queue of its own.
private final class Exchanges: NSObject, URLSessionDataDelegate, @unchecked Sendable {
  private struct Exchange {
    var head: CheckedContinuation<HTTPAnswer, any Error>?
    var body: AsyncThrowingStream<Data, any Error>.Continuation?
  }

  private let fingerprint: String
  private let lock = NSLock()
  private var running: [Int: Exchange] = [:]
  private var sawOtherCertificate = false

  init(fingerprint: String) {
    self.fingerprint = fingerprint
  }

  func begin(_ task: URLSessionDataTask, head: CheckedContinuation<HTTPAnswer, any Error>) {
    lock.withLock { running[task.taskIdentifier] = Exchange(head: head) }
    task.resume()
  }

  func urlSession(
    _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
    completionHandler: @escaping @Sendable (URLSession.ResponseDisposition) -> Void
  ) {
    let http = response as? HTTPURLResponse
    let (stream, body) = AsyncThrowingStream<Data, any Error>.makeStream()
    body.onTermination = { _ in dataTask.cancel() }
    let head = lock.withLock {
      running[dataTask.taskIdentifier]?.body = body
      defer { running[dataTask.taskIdentifier]?.head = nil }
      return running[dataTask.taskIdentifier]?.head
    }
    let fields = (http?.allHeaderFields ?? [:]).map { ("\($0.key)", "\($0.value)") }
    head?.resume(
      returning: HTTPAnswer(
        status: http?.statusCode ?? 0, headers: Dictionary(fields) { first, _ in first }, body: stream))
    completionHandler(.allow)
  }

  func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
    lock.withLock { running[dataTask.taskIdentifier]?.body }?.yield(data)
  }

  func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
    let (exchange, isOther) = lock.withLock { (running.removeValue(forKey: task.taskIdentifier), sawOtherCertificate) }
    let failure = error.map { Self.describe($0, isOtherServer: isOther) }
    exchange?.head?.resume(throwing: failure ?? Self.describe(URLError(.badServerResponse), isOtherServer: false))
    exchange?.body?.finish(throwing: failure)
  }

  func urlSession(
    _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
    newRequest request: URLRequest, completionHandler: @escaping @Sendable (URLRequest?) -> Void
  ) {
    completionHandler(nil)
  }

  #if canImport(Security)
    func urlSession(
      _ session: URLSession, didReceive challenge: URLAuthenticationChallenge,
      completionHandler: @escaping @Sendable (URLSession.AuthChallengeDisposition, URLCredential?) -> Void
    ) {
      guard challenge.protectionSpace.authenticationMethod == NSURLAuthenticationMethodServerTrust,
        let trust = challenge.protectionSpace.serverTrust,
        let chain = SecTrustCopyCertificateChain(trust) as? [SecCertificate], let certificate = chain.first,
        SHA256.hexDigest(of: SecCertificateCopyData(certificate) as Data) == fingerprint
      else {
        lock.withLock { sawOtherCertificate = true }
        return completionHandler(.cancelAuthenticationChallenge, nil)
      }
      lock.withLock { sawOtherCertificate = false }
      completionHandler(.useCredential, URLCredential(trust: trust))
    }
  #endif

  private static func describe(_ error: any Error, isOtherServer: Bool) -> any Error {
    if isOtherServer {
      return MobiError.server(
        "the certificate of this server is not the one of its QR code", hint: "Join the server again: scan its QR code")
    }
    if let error = error as? URLError, error.code == .cancelled { return CancellationError() }
    return MobiError.server(
      "the lab server cannot be reached: \(error.localizedDescription)",
      hint: "Is the phone in the computer's network, and mobisdk serve running?")
  }
}
