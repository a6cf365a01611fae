import Foundation

/// Every error that MobiRuntime throws on purpose: the same eight kinds as in the Python SDK.
///
/// Each is one sentence that a person can act on: what is wrong, the value received, what is allowed, the next step.
public enum MobiError: Error, Equatable, Sendable {
  /// A setting is wrong: a configuration, an option, a combination.
  case config(_ what: String, got: String? = nil, allowed: String? = nil, hint: String? = nil)
  /// The request is understood, and cannot be met here.
  case unsupported(_ what: String, got: String? = nil, allowed: String? = nil, hint: String? = nil)
  /// Images, labels or logs are not what they should be.
  case data(_ what: String, got: String? = nil, allowed: String? = nil, hint: String? = nil)
  /// A bundle is damaged, tampered with, or cannot be written.
  case bundle(_ what: String, got: String? = nil, allowed: String? = nil, hint: String? = nil)
  /// The phone's toolchain refused the network: Core ML could not compile or load it.
  case conversion(_ what: String, got: String? = nil, allowed: String? = nil, hint: String? = nil)
  /// The artefact disagrees with the network it was made from.
  case parity(_ what: String, got: String? = nil, allowed: String? = nil, hint: String? = nil)
  /// The phone refused: no space, no memory, no such unit.
  case device(_ what: String, got: String? = nil, allowed: String? = nil, hint: String? = nil)
  /// The lab server cannot be reached, or answered what it should not.
  case server(_ what: String, got: String? = nil, allowed: String? = nil, hint: String? = nil)
}

extension MobiError: LocalizedError, CustomStringConvertible {
  /// The sentence, for an alert.
  public var errorDescription: String? { description }

  /// The sentence: "what, got value; allowed: values. Next step".
  public var description: String {
    switch self {
    case .config(let what, let got, let allowed, let hint), .unsupported(let what, let got, let allowed, let hint),
      .data(let what, let got, let allowed, let hint), .bundle(let what, let got, let allowed, let hint),
      .conversion(let what, let got, let allowed, let hint), .parity(let what, let got, let allowed, let hint),
      .device(let what, let got, let allowed, let hint), .server(let what, let got, let allowed, let hint):
      var sentence = what
      if let got { sentence += ", got \(got)" }
      if let allowed { sentence += "; allowed: \(allowed)" }
      if let hint { sentence += ". \(hint)" }
      return sentence
    }
  }
}

extension String {
  private static let longestShown = 200

  /// This text in quotes, on one line and not too long: it may come from a hostile file or server.
  var shown: String {
    let head = unicodeScalars.prefix(Self.longestShown).map { scalar -> String in
      scalar.properties.generalCategory.isPrintable ? String(scalar) : "\\u{\(String(scalar.value, radix: 16))}"
    }
    let isWhole = unicodeScalars.count <= Self.longestShown
    return "'\(head.joined())\(isWhole ? "'" : "…' (\(unicodeScalars.count) characters)")"
  }
}

extension Unicode.GeneralCategory {
  fileprivate var isPrintable: Bool {
    switch self {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
    default: true
    }
  }
}
