/// One JSON value, as a hostile file may hold it. Whole numbers and others are told apart.
///
/// `JSONDecoder` is not used: it takes a key that is there twice, and half a surrogate pair, and differs by platform.
enum JSONValue: Equatable, Sendable {
  case null
  case bool(Bool)
  case integer(Int)
  /// A number with a fraction or an exponent, and how it was spelled.
  case real(Double, spelling: String)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  /// A finite number; one that is not becomes null.
  init(_ value: Double) {
    self = value.isFinite ? .real(value, spelling: "\(value)") : .null
  }

  init(_ text: String?) {
    self = text.map(JSONValue.string) ?? .null
  }

  init(_ number: Int?) {
    self = number.map(JSONValue.integer) ?? .null
  }

  init(_ number: Double?) {
    self = number.map { JSONValue($0) } ?? .null
  }

  init(_ truth: Bool?) {
    self = truth.map(JSONValue.bool) ?? .null
  }
}

/// Where a value lies in a document: `device.model`, `inference_ns[3]`.
struct JSONPath: Sendable {
  enum Step: Sendable {
    case key(String)
    case index(Int)
  }

  var steps: [Step] = []

  func appending(_ step: Step) -> JSONPath {
    JSONPath(steps: steps + [step])
  }

  /// The path in dots and brackets; a key that is no plain word is quoted, and a long path cut.
  var dotted: String {
    var text = ""
    for step in steps {
      switch step {
      case .index(let index): text += "[\(index)]"
      case .key(let key) where Self.isPlain(key): text += text.isEmpty ? key : ".\(key)"
      case .key(let key): text += "[\(key.shown)]"
      }
    }
    return text.isEmpty ? "the line" : String(text.prefix(200))
  }

  private static func isPlain(_ key: String) -> Bool {
    key.utf8.allSatisfy { (97...122).contains($0 | 32) || (48...57).contains($0) || $0 == 95 }
      && !key.isEmpty && !(48...57).contains(key.utf8.first!)
  }
}
