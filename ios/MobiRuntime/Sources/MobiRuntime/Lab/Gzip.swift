import Foundation

/// RFC 1952 around the system's DEFLATE; Linux's Foundation has none, and sends bodies as they are.
enum Gzip {
  static func compress(_ data: Data) -> Data? {
    #if canImport(Darwin)
      guard let deflated = try? (data as NSData).compressed(using: .zlib) else { return nil }
      let header: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]
      return Data(header) + (deflated as Data) + littleEndian(checksum(data))
        + littleEndian(UInt32(truncatingIfNeeded: data.count))
    #else
      return nil
    #endif
  }

  /// CRC-32 of ISO 3309, bit by bit: bodies are small.
  static func checksum(_ data: some Sequence<UInt8>) -> UInt32 {
    var remainder = UInt32.max
    for byte in data {
      remainder ^= UInt32(byte)
      for _ in 0..<8 { remainder = remainder >> 1 ^ (remainder & 1 == 1 ? 0xedb8_8320 : 0) }
    }
    return ~remainder
  }

  private static func littleEndian(_ word: UInt32) -> Data {
    Data((0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(8 * $0)) })
  }
}
