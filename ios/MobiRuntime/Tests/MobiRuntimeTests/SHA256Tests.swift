import Testing

@testable import MobiRuntime

/// Examples of NIST's "Secure Hash Standard" (FIPS 180-2, appendix B) and of its long-message file.
@Suite struct SHA256Tests {
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    (
      "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
      "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
    ),
  ])
  func digestIsTheStandards(message: String, digest: String) {
    #expect(SHA256.hexDigest(of: Array(message.utf8)) == digest)
  }

  @Test func millionLettersFedInUnevenPiecesGiveTheStandardsDigest() {
    var hash = SHA256()
    var left = 1_000_000
    var piece = 1
    while left > 0 {
      let size = min(piece, left)
      hash.update([UInt8](repeating: UInt8(ascii: "a"), count: size))
      left -= size
      piece = piece * 3 % 1009 + 1
    }
    #expect(hash.finalize() == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }
}
