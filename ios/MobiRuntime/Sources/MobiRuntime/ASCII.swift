/// Classes of ASCII characters. Foundation's take digits and letters of every script.
extension UInt8 {
  var isDigit: Bool { (48...57).contains(self) }
  var isLetterOrDigit: Bool { isDigit || (97...122).contains(self | 32) }
  var isHexDigit: Bool { isDigit || (97...102).contains(self | 32) }
}
