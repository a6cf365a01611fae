import Foundation

/// The link in the lab server's QR code: where the server is, how to know it, and the one-time code.
///
/// Anybody can print a QR code: an app shows the host and asks before it joins.
public struct JoinLink: Equatable, Sendable {
  private static let longest = 2048

  /// An IPv4 or IPv6 address, or a name.
  public let host: String
  /// The server's port.
  public let port: Int
  /// SHA-256 of the server's certificate (DER): 64 lowercase hexadecimal digits.
  public let fingerprint: String
  /// Exchanged for a token, once.
  public let code: String

  /// Reads `mobisdk://join?host=…&port=…&fingerprint=…&code=…`.
  ///
  /// Throws `MobiError.server` that names the part which is wrong.
  public init(_ link: String) throws {
    guard link.unicodeScalars.count <= Self.longest else {
      throw Self.refuse("link", link, allowed: "at most \(Self.longest) characters")
    }
    let parts = link.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    let head = parts[0].lowercased()
    guard head.hasPrefix("mobisdk://") else { throw Self.refuse("scheme", link, allowed: "mobisdk://") }
    guard head == "mobisdk://join", !link.contains("#") else { throw Self.refuse("action", link, allowed: "join") }
    let pairs = parts.count == 2 ? parts[1].split(separator: "&") : []
    func value(_ key: String, _ allowed: String, where isRight: (String) -> Bool) throws -> String {
      let values = pairs.compactMap { pair -> String?? in
        let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard halves[0] == key else { return nil }
        return .some(halves.count == 2 ? String(halves[1]).removingPercentEncoding : nil)
      }
      guard values.count == 1, let text = values[0], isRight(text) else {
        throw Self.refuse(key, (values.first ?? nil) ?? "nothing", allowed: allowed)
      }
      return text
    }
    host = try value("host", "one address or name", where: Self.isHost)
    port = try Int(value("port", "one number from 1 to 65535", where: Self.isPort))!
    fingerprint = try value("fingerprint", "64 hexadecimal digits, once", where: Self.isSHA256).lowercased()
    code = try value("code", "1 to 128 of A-Z a-z 0-9 - _, once", where: Self.isCode)
  }

  private static func refuse(_ part: String, _ got: String, allowed: String) -> MobiError {
    .server("the \(part) of the join link is wrong", got: got.shown, allowed: allowed, hint: "Scan the QR code again")
  }

  private static func isHost(_ text: String) -> Bool {
    var address = in6_addr()
    if text.contains(":") { return inet_pton(AF_INET6, text, &address) == 1 }
    let bytes = Array(text.utf8)
    guard (1...253).contains(bytes.count), bytes[0].isLetterOrDigit, bytes[bytes.count - 1].isLetterOrDigit else {
      return false
    }
    return bytes.allSatisfy { $0.isLetterOrDigit || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }
  }

  private static func isPort(_ text: String) -> Bool {
    text.utf8.count <= 5 && text.utf8.allSatisfy(\.isDigit) && (1...65_535).contains(Int(text) ?? 0)
  }

  private static func isSHA256(_ text: String) -> Bool {
    text.utf8.count == 64 && text.utf8.allSatisfy(\.isHexDigit)
  }

  private static func isCode(_ text: String) -> Bool {
    (1...128).contains(text.utf8.count)
      && text.utf8.allSatisfy { $0.isLetterOrDigit || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
  }
}
