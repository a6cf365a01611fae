import Foundation

/// SHA-256 (FIPS 180-4), fed piece by piece.
///
/// Linux has no CryptoKit, and one implementation everywhere is one that the tests hold.
struct SHA256 {
  private static let roundConstants: [UInt32] = makeRoundConstants()

  private var state: (UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32) = (
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19
  )
  private var pending: [UInt8] = []
  private var length: UInt64 = 0
  private var schedule = [UInt32](repeating: 0, count: 64)

  /// 64 lowercase hexadecimal digits.
  static func hexDigest(of bytes: some Collection<UInt8>) -> String {
    var hash = SHA256()
    hash.update(bytes)
    return hash.finalize()
  }

  /// The digest of a file that may be larger than memory.
  static func hexDigest(ofFileAt url: URL) throws -> String {
    let file = try FileHandle(forReadingFrom: url)
    defer { try? file.close() }
    var hash = SHA256()
    while let chunk = try file.read(upToCount: 1 << 20), !chunk.isEmpty { hash.update(chunk) }
    return hash.finalize()
  }

  mutating func update(_ bytes: some Collection<UInt8>) {
    length += UInt64(bytes.count) * 8
    pending += bytes
    let whole = pending.count / 64 * 64
    guard whole > 0 else { return }
    let blocks = pending
    blocks.withUnsafeBufferPointer { buffer in
      for start in stride(from: 0, to: whole, by: 64) { compress(buffer.baseAddress! + start) }
    }
    pending = Array(blocks[whole...])
  }

  mutating func finalize() -> String {
    let bits = length
    let zeros = (119 - pending.count % 64) % 64
    update(
      [0x80] + [UInt8](repeating: 0, count: zeros) + (0..<8).map { UInt8(truncatingIfNeeded: bits >> (56 - 8 * $0)) })
    let words = [state.0, state.1, state.2, state.3, state.4, state.5, state.6, state.7]
    return words.map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 8 - digits.count) + digits
    }.joined()
  }

  private mutating func compress(_ block: UnsafePointer<UInt8>) {
    var (a, b, c, d, e, f, g, h) = state
    schedule.withUnsafeMutableBufferPointer { words in
      Self.roundConstants.withUnsafeBufferPointer { constants in
        for index in 0..<16 {
          let bytes = block + 4 * index
          words[index] =
            UInt32(bytes[0]) << 24 | UInt32(bytes[1]) << 16 | UInt32(bytes[2]) << 8 | UInt32(bytes[3])
        }
        for index in 16..<64 {
          let (near, far) = (words[index - 2], words[index - 15])
          let first = rotate(far, 7) ^ rotate(far, 18) ^ far >> 3
          let second = rotate(near, 17) ^ rotate(near, 19) ^ near >> 10
          words[index] = words[index - 16] &+ first &+ words[index - 7] &+ second
        }
        for index in 0..<64 {
          let sum = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
          let choice = (e & f) ^ (~e & g)
          let first = h &+ sum &+ choice &+ constants[index] &+ words[index]
          let majority = (a & b) ^ (a & c) ^ (b & c)
          let second = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) &+ majority
          (h, g, f, e, d, c, b, a) = (g, f, e, d &+ first, c, b, a, first &+ second)
        }
      }
    }
    state.0 &+= a
    state.1 &+= b
    state.2 &+= c
    state.3 &+= d
    state.4 &+= e
    state.5 &+= f
    state.6 &+= g
    state.7 &+= h
  }

  /// The first 32 bits of the fractions of the cube roots of the first 64 primes, by whole-number arithmetic.
  private static func makeRoundConstants() -> [UInt32] {
    var primes: [UInt64] = []
    var candidate: UInt64 = 2
    while primes.count < 64 {
      if primes.allSatisfy({ candidate % $0 != 0 }) { primes.append(candidate) }
      candidate += 1
    }
    return primes.map { prime in UInt32(truncatingIfNeeded: cubeRootScaled(prime)) }
  }

  /// The largest r with r³ ≤ prime · 2⁹⁶: the cube root times 2³².
  private static func cubeRootScaled(_ prime: UInt64) -> UInt64 {
    var root: UInt64 = 0
    for bit in stride(from: UInt64(34), through: 0, by: -1) {
      let trial = root | 1 << bit
      // trial³ against prime · 2⁹⁶, as 128-bit high and low words: trial < 2³⁵, so trial² < 2⁷⁰ and trial³ < 2¹⁰⁵
      let square = trial.multipliedFullWidth(by: trial)
      let low = square.low.multipliedFullWidth(by: trial)
      let high = square.high * trial + low.high
      if high < prime << 32 || (high == prime << 32 && low.low == 0) { root = trial }
    }
    return root
  }
}

@inline(__always)
private func rotate(_ word: UInt32, _ count: UInt32) -> UInt32 {
  word >> count | word << (32 - count)
}
