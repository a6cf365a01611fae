/// Why a value is not what a contract says, and where it is.
struct JSONMismatch: Error {
  let path: JSONPath
  let reason: String
}

/// One value of a document and its path: reads fields, refusing what a contract does not allow.
struct JSONReader {
  let value: JSONValue
  var path = JSONPath()

  static let mostCount = 1_000_000_000_000_000_000

  /// The member `key` of this object; a missing one is an error at its own path.
  subscript(key: String) -> JSONReader {
    get throws {
      guard case .object(let members) = value else { throw mismatch("it is not an object") }
      let place = path.appending(.key(key))
      guard let member = members[key] else { throw JSONMismatch(path: place, reason: "it is missing") }
      return JSONReader(value: member, path: place)
    }
  }

  /// The member `key`, or nil where there is none: keys that a contract got later.
  func optional(_ key: String) throws -> JSONReader? {
    try members[key].map { JSONReader(value: $0, path: path.appending(.key(key))) }
  }

  /// This value, or nil where it is null.
  var nonNull: JSONReader? { value == .null ? nil : self }

  var members: [String: JSONValue] {
    get throws {
      guard case .object(let members) = value else { throw mismatch("it is not an object") }
      return members
    }
  }

  var items: [JSONReader] {
    get throws {
      guard case .array(let items) = value else { throw mismatch("it is not a list") }
      return items.enumerated().map { JSONReader(value: $1, path: path.appending(.index($0))) }
    }
  }

  func text(_ length: ClosedRange<Int> = 1...200) throws -> String {
    guard case .string(let text) = value else { throw mismatch("it is not a text") }
    guard length.contains(text.unicodeScalars.count) else {
      throw mismatch("it has not \(length.lowerBound) to \(length.upperBound) characters")
    }
    return text
  }

  /// A text of which every byte is allowed at its place.
  func text(where isAllowed: (String) -> Bool, _ kind: String) throws -> String {
    let text = try text(0...1024)
    guard isAllowed(text) else { throw mismatch("it is not \(kind)") }
    return text
  }

  func choice<Choice: RawRepresentable>(_: Choice.Type = Choice.self) throws -> Choice where Choice.RawValue == String {
    guard case .string(let text) = value, let choice = Choice(rawValue: text) else {
      throw mismatch("it is none of the words that are allowed")
    }
    return choice
  }

  func integer(_ range: ClosedRange<Int> = 0...mostCount) throws -> Int {
    let whole: Int? =
      switch value {
      case .integer(let number): number
      case .real(let number, _): Int(exactly: number)  // 1.0 is a whole number in a JSON Schema
      default: nil
      }
    guard let whole else { throw mismatch("it is not a whole number") }
    guard range.contains(whole) else { throw mismatch("it is not in \(range.lowerBound) to \(range.upperBound)") }
    return whole
  }

  func number(where isAllowed: (Double) -> Bool = { _ in true }, _ kind: String = "a number") throws -> Double {
    let number: Double? =
      switch value {
      case .integer(let whole): Double(whole)
      case .real(let number, _): number
      default: nil
      }
    guard let number else { throw mismatch("it is not a number") }
    guard isAllowed(number) else { throw mismatch("it is not \(kind)") }
    return number
  }

  func bool() throws -> Bool {
    guard case .bool(let truth) = value else { throw mismatch("it is neither true nor false") }
    return truth
  }

  func sha256() throws -> String {
    try text(where: { $0.utf8.count == 64 && $0.utf8.allSatisfy(Self.isLowercaseHex) }, "64 hexadecimal digits")
  }

  func exactly(_ word: String) throws {
    guard value == .string(word) else { throw mismatch("it is not \(word.shown)") }
  }

  func mismatch(_ reason: String) -> JSONMismatch {
    JSONMismatch(path: path, reason: reason)
  }

  private static func isLowercaseHex(_ byte: UInt8) -> Bool {
    (48...57).contains(byte) || (97...102).contains(byte)
  }
}
