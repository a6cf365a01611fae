/// Why a text is no JSON, or holds a value that others could not read.
enum JSONError: Error, Equatable {
  /// Not JSON, or a key twice, or nested too deeply.
  case malformed(String)
  /// Half a surrogate pair, a number past 64 bits or past every float, at a path.
  case oddValue(path: String)
}

/// Reads strict JSON (RFC 8259) out of bytes: no key twice, no half surrogate pair, no number that is not finite.
struct JSONParser {
  static let deepest = 64
  private static let longestNumber = 400

  private let bytes: UnsafeBufferPointer<UInt8>
  private var position = 0
  private var path = JSONPath()

  static func parse(_ content: some Sequence<UInt8>) throws(JSONError) -> JSONValue {
    let bytes = ContiguousArray(content)
    guard String(validating: bytes, as: UTF8.self) != nil else { throw .malformed("it is not UTF-8") }
    let result = bytes.withUnsafeBufferPointer { buffer in
      Result { () throws(JSONError) in
        var parser = JSONParser(bytes: buffer)
        return try parser.parseDocument()
      }
    }
    return try result.get()
  }

  private init(bytes: UnsafeBufferPointer<UInt8>) {
    self.bytes = bytes
  }

  private mutating func parseDocument() throws(JSONError) -> JSONValue {
    let value = try parseValue(depth: 0)
    skipSpace()
    guard position == bytes.count else { throw malformed("something follows the value") }
    return value
  }

  private mutating func parseValue(depth: Int) throws(JSONError) -> JSONValue {
    guard depth <= Self.deepest else { throw .malformed("it is nested too deeply") }
    skipSpace()
    guard let first = peek() else { throw malformed("it ends too early") }
    switch first {
    case UInt8(ascii: "{"): return try parseObject(depth: depth)
    case UInt8(ascii: "["): return try parseArray(depth: depth)
    case UInt8(ascii: "\""): return .string(try parseString())
    case UInt8(ascii: "t"): return try parseWord("true", as: .bool(true))
    case UInt8(ascii: "f"): return try parseWord("false", as: .bool(false))
    case UInt8(ascii: "n"): return try parseWord("null", as: .null)
    case UInt8(ascii: "N"), UInt8(ascii: "I"): throw .oddValue(path: path.dotted)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try parseNumber()
    default: throw malformed("there is no value")
    }
  }

  private mutating func parseObject(depth: Int) throws(JSONError) -> JSONValue {
    position += 1
    var members: [String: JSONValue] = [:]
    skipSpace()
    if take("}") { return .object(members) }
    repeat {
      skipSpace()
      guard peek() == UInt8(ascii: "\"") else { throw malformed("a key must be in double quotes") }
      let key = try parseString()
      skipSpace()
      guard take(":") else { throw malformed("a key needs a colon") }
      path.steps.append(.key(key))
      let isNew = members.updateValue(try parseValue(depth: depth + 1), forKey: key) == nil
      path.steps.removeLast()
      guard isNew else { throw malformed("a key is there twice: \(key.shown)") }
      skipSpace()
    } while take(",")
    guard take("}") else { throw malformed("an object does not end") }
    return .object(members)
  }

  private mutating func parseArray(depth: Int) throws(JSONError) -> JSONValue {
    position += 1
    var items: [JSONValue] = []
    skipSpace()
    if take("]") { return .array(items) }
    repeat {
      path.steps.append(.index(items.count))
      items.append(try parseValue(depth: depth + 1))
      path.steps.removeLast()
      skipSpace()
    } while take(",")
    guard take("]") else { throw malformed("a list does not end") }
    return .array(items)
  }

  private mutating func parseString() throws(JSONError) -> String {
    position += 1
    var text: [UInt8] = []
    while let byte = peek() {
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
      case UInt8(ascii: "\\"): text += try parseEscape()
      case 0..<32: throw malformed("a text holds a control character")
      default: text.append(byte)
      }
    }
    throw malformed("a text does not end")
  }

  private mutating func parseEscape() throws(JSONError) -> [UInt8] {
    let letter = peek()
    position += 1
    switch letter {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [letter!]
    case UInt8(ascii: "b"): return [8]
    case UInt8(ascii: "f"): return [12]
    case UInt8(ascii: "n"): return [10]
    case UInt8(ascii: "r"): return [13]
    case UInt8(ascii: "t"): return [9]
    case UInt8(ascii: "u"): return Array(String(Character(try parseUnicodeScalar())).utf8)
    default: throw malformed("an escape is unknown")
    }
  }

  private mutating func parseUnicodeScalar() throws(JSONError) -> Unicode.Scalar {
    let first = try parseHexUnit()
    if let scalar = Unicode.Scalar(first) { return scalar }
    guard UTF16.isLeadSurrogate(UInt16(first)), take("\\"), take("u") else { throw .oddValue(path: path.dotted) }
    let second = try parseHexUnit()
    guard UTF16.isTrailSurrogate(UInt16(second)),
      let scalar = Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
    else { throw .oddValue(path: path.dotted) }
    return scalar
  }

  private mutating func parseHexUnit() throws(JSONError) -> UInt32 {
    var unit: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = peek(), let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 128 else {
        throw malformed("an escape needs four hexadecimal digits")
      }
      unit = unit << 4 | UInt32(digit)
      position += 1
    }
    return unit
  }

  private mutating func parseNumber() throws(JSONError) -> JSONValue {
    let start = position
    let isNegative = take("-")
    if isNegative, peek() == UInt8(ascii: "I") { throw .oddValue(path: path.dotted) }
    let leading = position
    let digits = skipDigits()
    guard digits == 1 || digits > 1 && bytes[leading] != UInt8(ascii: "0") else {
      throw malformed("a number is misspelled")
    }
    var isWhole = true
    if take(".") {
      isWhole = false
      guard skipDigits() > 0 else { throw malformed("a number is misspelled") }
    }
    if take("e") || take("E") {
      isWhole = false
      if !take("+") { _ = take("-") }
      guard skipDigits() > 0 else { throw malformed("a number is misspelled") }
    }
    guard position - start <= Self.longestNumber else { throw .oddValue(path: path.dotted) }
    let spelling = String(decoding: bytes[start..<position], as: UTF8.self)
    if isWhole {
      guard let value = Int(spelling) else { throw .oddValue(path: path.dotted) }
      return .integer(value)
    }
    guard let value = Double(spelling), value.isFinite else { throw .oddValue(path: path.dotted) }
    return .real(value, spelling: spelling)
  }

  private mutating func parseWord(_ word: StaticString, as value: JSONValue) throws(JSONError) -> JSONValue {
    let length = word.utf8CodeUnitCount
    guard position + length <= bytes.count,
      (0..<length).allSatisfy({ bytes[position + $0] == word.utf8Start[$0] })
    else { throw malformed("there is no value") }
    position += length
    return value
  }

  private mutating func skipSpace() {
    while let byte = peek(), byte == 32 || byte == 9 || byte == 10 || byte == 13 { position += 1 }
  }

  private mutating func skipDigits() -> Int {
    let start = position
    while let byte = peek(), (48...57).contains(byte) { position += 1 }
    return position - start
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard peek() == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private func peek() -> UInt8? {
    position < bytes.count ? bytes[position] : nil
  }

  private func malformed(_ reason: String) -> JSONError {
    .malformed("\(reason), at byte \(position)")
  }
}
