/// A dotted version: "1.4.1", "18.0"; missing parts are zeros.
struct Version: Comparable, Sendable {
  private let parts: [Int]

  /// One to four numbers of up to four digits; nil for anything else.
  init?(_ text: String) {
    let fields = text.split(separator: ".", omittingEmptySubsequences: false)
    guard (1...4).contains(fields.count),
      fields.allSatisfy({ (1...4).contains($0.utf8.count) && $0.utf8.allSatisfy { (48...57).contains($0) } })
    else { return nil }
    parts = fields.map { Int($0)! } + Array(repeating: 0, count: 4 - fields.count)
  }

  static func < (left: Version, right: Version) -> Bool {
    left.parts.lexicographicallyPrecedes(right.parts)
  }
}
