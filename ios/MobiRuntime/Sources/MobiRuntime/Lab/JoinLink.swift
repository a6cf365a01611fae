import Foundation

/// The link in the lab server's QR code: where the server is, how to know it, and the one-time code.
///
/// Anybody can print a QR code: an app shows the host and asks before it joins. A link without a certificate is refused.
public struct JoinLink: Equatable, Sendable {
  private static let longest = 2048

  /// A name, an IPv4 address, or an IPv6 address without brackets.
  public let host: String
  /// The server's port.
  public let port: Int
  /// SHA-256 of the server's certificate (DER): 64 lowercase hexadecimal digits.
  public let fingerprint: String
  /// Exchanged for a token, once.
  public let code: String

  /// Reads `mobisdk://join?v=1&address=…&sha256=…&code=…`.
  ///
  /// Throws `MobiError.server` that names the part which is wrong.
  public init(_ link: String) throws {
    guard link.unicodeScalars.count <= Self.longest else {
      throw Self.refuse("link", allowed: "at most \(Self.longest) characters")
    }
    let parts = link.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    let (scheme, action) = (parts[0].prefix(10).lowercased(), parts[0].dropFirst(10))
    guard scheme == "mobisdk://" else {
      throw Self.refuse("scheme", got: String(link.prefix(20)), allowed: "mobisdk://")
    }
    guard action == "join", !link.contains("#") else { throw Self.refuse("action", got: "\(action)", allowed: "join") }
    let values = try Self.readQuery(parts.count == 2 ? parts[1] : "")
    guard values["v"] == "1" else {
      throw MobiError.server(
        "the v of the join link is of a newer server", got: values["v"]?.shown, hint: "Update the app")
    }
    guard let address = values["address"].flatMap(Self.readAddress) else {
      throw Self.refuse("address", got: values["address"], allowed: "host:port, an IPv6 address in brackets")
    }
    guard let fingerprint = values["sha256"], Self.isSHA256(fingerprint) else {
      throw Self.refuse("sha256", got: values["sha256"], allowed: "64 hexadecimal digits")
    }
    guard let code = values["code"], Self.isCode(code) else {
      throw Self.refuse("code", allowed: "16 to 64 of A-Z a-z 0-9 - _")  // it is a secret, and not shown
    }
    (host, port) = address
    self.fingerprint = fingerprint
    self.code = code
  }

  private static func readQuery(_ query: Substring) throws -> [String: String] {
    var values: [String: String] = [:]
    for pair in query.split(separator: "&") {
      let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let key = String(halves[0])
      let value = halves.count == 2 ? String(halves[1]).removingPercentEncoding : nil
      guard values.updateValue(value ?? "", forKey: key) == nil else {
        throw Self.refuse(key, got: "two of them", allowed: "one")
      }
    }
    return values
  }

  private static func readAddress(_ text: String) -> (host: String, port: Int)? {
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let (host, digits) = (text[..<colon], text[text.index(after: colon)...])
    guard digits.utf8.count <= 5, digits.utf8.allSatisfy(\.isDigit), let port = Int(digits), (1...65_535).contains(port)
    else { return nil }
    if host.hasPrefix("["), host.hasSuffix("]") {
      let inner = String(host.dropFirst().dropLast())
      var address = in6_addr()
      return inet_pton(AF_INET6, inner, &address) == 1 ? (inner, port) : nil
    }
    return isName(host) ? (String(host), port) : nil
  }

  private static func isName(_ text: Substring) -> Bool {
    guard (1...253).contains(text.utf8.count), text.utf8.first!.isLetterOrDigit, text.utf8.last!.isLetterOrDigit else {
      return false
    }
    return text.utf8.allSatisfy { $0.isLetterOrDigit || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }
  }

  private static func isSHA256(_ text: String) -> Bool {
    text.utf8.count == 64 && text.utf8.allSatisfy { $0.isHexDigit && !(65...70).contains($0) }
  }

  private static func isCode(_ text: String) -> Bool {
    (16...64).contains(text.utf8.count)
      && text.utf8.allSatisfy { $0.isLetterOrDigit || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
  }

  private static func refuse(_ part: String, got: String? = nil, allowed: String) -> MobiError {
    .server(
      "the \(part) of the join link is wrong", got: got?.shown, allowed: allowed, hint: "Scan the QR code again")
  }
}
