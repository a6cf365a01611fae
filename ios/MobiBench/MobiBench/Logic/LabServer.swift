import Foundation
import MobiRuntime

/// A lab server that this phone has joined. All of it is in the Keychain, since the token is.
struct LabServer: Codable, Equatable, Sendable {
  let host: String
  let port: Int
  /// SHA-256 of the certificate that alone is trusted.
  let fingerprint: String
  /// This phone's own.
  let token: String

  /// Speaks to the server over pinned TLS.
  func makeClient() throws -> LabClient {
    LabClient(transport: try PinnedTransport(host: host, port: port, fingerprint: fingerprint), token: token)
  }
}
