import Foundation

/// Times as contract 2 writes them: RFC 3339 with an offset.
enum Timestamp {
  /// The time in UTC, to the millisecond.
  static func format(_ date: Date) -> String {
    let formatter = ISO8601DateFormatter()
    formatter.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
    return formatter.string(from: date)
  }

  /// The hour in UTC, for production: never rounded up.
  static func formatHour(_ date: Date) -> String {
    let hour = (date.timeIntervalSince1970 / 3600).rounded(.down) * 3600
    let formatter = ISO8601DateFormatter()
    formatter.formatOptions = [.withInternetDateTime]
    return formatter.string(from: Date(timeIntervalSince1970: hour))
  }

  /// Whether the minute, the second and its fraction are zero.
  static func isOnTheHour(_ text: String) -> Bool {
    let bytes = Array(text.utf8.dropFirst(13))
    guard bytes.starts(with: ":00:00".utf8) else { return false }
    let rest = bytes.dropFirst(6)
    return rest.first == UInt8(ascii: ".")
      ? rest.dropFirst().prefix { (48...57).contains($0) }.allSatisfy { $0 == 48 } : true
  }

  /// Whether this is a day that exists, a time of it and an offset, from the year 2000 on.
  static func isValid(_ text: String) -> Bool {
    var rest = Array(text.utf8)[...]
    guard let year = takeNumber(4, from: &rest), take("-", from: &rest), let month = takeNumber(2, from: &rest),
      take("-", from: &rest), let day = takeNumber(2, from: &rest), take("T", from: &rest),
      let hour = takeNumber(2, from: &rest), take(":", from: &rest), let minute = takeNumber(2, from: &rest),
      take(":", from: &rest), let second = takeNumber(2, from: &rest)
    else { return false }
    if take(".", from: &rest) {
      let digits = rest.prefix { (48...57).contains($0) }
      guard (1...9).contains(digits.count) else { return false }
      rest = rest.dropFirst(digits.count)
    }
    return year >= 2000 && (1...12).contains(month) && day >= 1 && day <= daysIn(month, of: year) && hour < 24
      && minute < 60 && second < 60 && isOffset(rest)
  }

  private static func isOffset(_ text: ArraySlice<UInt8>) -> Bool {
    var rest = text
    if rest.elementsEqual("Z".utf8) { return true }
    guard take("+", from: &rest) || take("-", from: &rest), let hours = takeNumber(2, from: &rest),
      take(":", from: &rest), let minutes = takeNumber(2, from: &rest)
    else { return false }
    return rest.isEmpty && hours < 24 && minutes < 60
  }

  private static func daysIn(_ month: Int, of year: Int) -> Int {
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    return month == 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
  }

  private static func takeNumber(_ digits: Int, from rest: inout ArraySlice<UInt8>) -> Int? {
    guard rest.count >= digits, rest.prefix(digits).allSatisfy({ (48...57).contains($0) }) else { return nil }
    defer { rest = rest.dropFirst(digits) }
    return rest.prefix(digits).reduce(0) { $0 * 10 + Int($1 - 48) }
  }

  private static func take(_ character: Unicode.Scalar, from rest: inout ArraySlice<UInt8>) -> Bool {
    guard rest.first == UInt8(ascii: character) else { return false }
    rest = rest.dropFirst()
    return true
  }
}
