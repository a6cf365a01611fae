import Foundation

/// Numbers as the screens write them, in the person's own digits.
enum Figures {
  /// Milliseconds with two places: "12.34".
  static func milliseconds(_ nanoseconds: Int, locale: Locale = .current) -> String {
    (Double(nanoseconds) / 1e6).formatted(.number.precision(.fractionLength(2)).locale(locale))
  }

  /// A share in hundredths with one place, without the sign: "93.1".
  static func percent(_ share: Double, locale: Locale = .current) -> String {
    (share * 100).formatted(.number.precision(.fractionLength(1)).locale(locale))
  }

  /// Bytes in megabytes with two places: "1.90".
  static func megabytes(_ bytes: Int, locale: Locale = .current) -> String {
    (Double(bytes) / 1e6).formatted(.number.precision(.fractionLength(2)).locale(locale))
  }
}
