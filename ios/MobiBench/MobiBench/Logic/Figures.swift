import Foundation

/// Numbers as the screens write them, in the person's own digits.
enum Figures {
  /// Milliseconds with two places: "12.34".
  static func milliseconds(_ nanoseconds: Int, locale: Locale = .current) -> String {
    (Double(nanoseconds) / 1e6).formatted(.number.precision(.fractionLength(2)).locale(locale))
  }

  /// A probability as a percentage with one place: "93.1%".
  static func percent(_ probability: Double, locale: Locale = .current) -> String {
    probability.formatted(.percent.precision(.fractionLength(1)).locale(locale))
  }

  /// Bytes: "1.9 MB".
  static func size(_ bytes: Int) -> String {
    ByteCountFormatter.string(fromByteCount: Int64(bytes), countStyle: .file)
  }
}
