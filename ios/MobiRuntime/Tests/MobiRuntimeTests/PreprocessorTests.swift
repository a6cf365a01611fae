import Foundation
import Testing

@testable import MobiRuntime

/// The vectors of contract 3. The contract allows a difference of 1; whole numbers give none.
@Suite struct PreprocessorTests {
  struct Vectors: Decodable {
    let vectors: [Vector]
  }

  struct Vector: Decodable {
    let name, input, output: String
    let width, height, orientation, resize, crop: Int
  }

  @Test func everyVectorGivesPythonsBytes() throws {
    let vectors = try ContractFiles.decode(Vectors.self, "preprocess/vectors.json").vectors
    #expect(vectors.count >= 30)
    for vector in vectors {
      let image = try RGBAImage(
        width: vector.width, height: vector.height, orientation: vector.orientation,
        bytes: ContractFiles.bytes("preprocess/\(vector.input)"))
      var preprocessor = try Preprocessor(resize: vector.resize, crop: vector.crop)
      let expected = try ContractFiles.bytes("preprocess/\(vector.output)")
      #expect(try preprocessor.preprocess(image) == expected, "\(vector.name)")
      #expect(try preprocessor.preprocess(image) == expected, "\(vector.name), with the tables that were kept")
    }
  }

  @Test func sumsPast32BitsAreExactToo() throws {
    // One row of 60,000 columns, white but for the last: 2·60000²/100 · 255 is past 2³².
    let side = 60_000
    var bytes = [UInt8](repeating: 255, count: side * 4)
    bytes[(side - 1) * 4] = 0
    let column = try RGBAImage(width: 1, height: side, bytes: bytes)
    let row = try RGBAImage(width: side, height: 1, bytes: bytes)
    var preprocessor = try Preprocessor(resize: 8, crop: 8)
    #expect(try preprocessor.preprocess(column).allSatisfy { $0 == 255 })
    #expect(try preprocessor.preprocess(row) == preprocessor.preprocess(column))
    // 100 × 60,000 of one colour, shrunk to 4: every mean is that colour.
    let grey = try RGBAImage(width: 3000, height: 60_000, bytes: [UInt8](repeating: 255, count: 3000 * 60_000 * 4))
    var small = try Preprocessor(resize: 4, crop: 4)
    #expect(try small.preprocess(grey) == [UInt8](repeating: 255, count: 48))
  }

  @Test func sizesOutOfRangeAreRefused() {
    #expect(mobiError { _ = try Preprocessor(resize: 223, crop: 224) }?.kind == "ConfigError")
    #expect(mobiError { _ = try Preprocessor(resize: 1, crop: 0) }?.kind == "ConfigError")
    #expect(mobiError { _ = try RGBAImage(width: 0, height: 1, bytes: []) }?.kind == "DataError")
    #expect(mobiError { _ = try RGBAImage(width: 65_536, height: 1, bytes: []) }?.kind == "DataError")
    #expect(
      mobiError { _ = try RGBAImage(width: 20_000, height: 20_000, bytes: []) }?.text.contains("too large") == true)
    #expect(mobiError { _ = try RGBAImage(width: 2, height: 1, bytes: [0]) }?.kind == "DataError")
    let turned = mobiError { _ = try RGBAImage(width: 1, height: 1, orientation: 9, bytes: [0, 0, 0, 0]) }
    #expect(turned?.text == "EXIF orientation is unknown, got 9; allowed: 1 to 8")
  }

  @Test func uprightSizeIsTurned() throws {
    let image = try RGBAImage(width: 2, height: 1, orientation: 6, bytes: [UInt8](repeating: 0, count: 8))
    #expect(image.uprightSize == SourceImage(width: 1, height: 2))
  }
}
