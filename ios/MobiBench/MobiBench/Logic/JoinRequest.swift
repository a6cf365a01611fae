import Foundation
import MobiRuntime

/// A lab server that wants to be joined. Nothing is sent to it before the person says yes.
enum JoinRequest: Equatable, Identifiable, Sendable {
  /// From the QR code: the code is in it.
  case link(JoinLink)
  /// Found by Bonjour, which anybody in the network can announce: the code is typed.
  case discovered(name: String, host: String, port: Int, fingerprint: String)

  var id: String { "\(host) \(port) \(fingerprint)" }

  /// An address or a name.
  var host: String {
    switch self {
    case .link(let link): link.host
    case .discovered(_, let host, _, _): host
    }
  }

  /// The server's port.
  var port: Int {
    switch self {
    case .link(let link): link.port
    case .discovered(_, _, let port, _): port
    }
  }

  /// SHA-256 of the certificate that alone will be trusted.
  var fingerprint: String {
    switch self {
    case .link(let link): link.fingerprint
    case .discovered(_, _, _, let fingerprint): fingerprint
    }
  }

  /// Whether the one-time code is still to be typed.
  var needsCode: Bool {
    if case .discovered = self { true } else { false }
  }

  /// The fingerprint in groups of four, as the computer's screen shows it.
  var readableFingerprint: String {
    let digits = Array(fingerprint)
    return stride(from: 0, to: digits.count, by: 4).map { String(digits[$0..<min($0 + 4, digits.count)]) }
      .joined(separator: " ")
  }

  /// What is joined once the person has said yes; `code` is used where it was to be typed.
  ///
  /// Throws `MobiError.server` that names what is wrong, as for a link.
  func confirmed(code: String) throws -> JoinLink {
    guard case .discovered(_, let host, let port, let fingerprint) = self else {
      if case .link(let link) = self { return link }
      throw MobiError.config("there is no server to join")
    }
    var components = URLComponents()
    components.scheme = "mobisdk"
    components.host = "join"
    components.queryItems = [
      URLQueryItem(name: "v", value: "1"),
      URLQueryItem(name: "address", value: host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"),
      URLQueryItem(name: "sha256", value: fingerprint),
      URLQueryItem(name: "code", value: code.filter { !$0.isWhitespace }),
    ]
    return try JoinLink(components.string ?? "")
  }
}
