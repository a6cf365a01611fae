/// Contract 3: from a photograph to the (crop,crop,3) bytes that a network takes.
///
/// Whole numbers until one rounding, so that every phone and the SDK get the same bytes; the definition is at the top
/// of `sdk/mobisdk/preprocess.py`. It keeps its tables and memory, so that images of one size after another allocate
/// nothing. One implementation everywhere: Apple's vImage scales differently.
public struct Preprocessor: Sendable {
  /// The shorter side after resizing, in pixels.
  public let resize: Int
  /// The square that is cut out of the centre, in pixels.
  public let crop: Int

  private var layout: Layout?
  private var narrowSums: [UInt32] = []
  private var wideSums: [UInt64] = []
  private var blackenedRow: [UInt8] = []

  /// Throws `MobiError.config` where a size is out of range, or the crop is larger than the resized image.
  public init(resize: Int, crop: Int) throws {
    guard (1...2048).contains(crop) else {
      throw MobiError.config("crop must be a whole number", got: "\(crop)", allowed: "1 to 2048")
    }
    guard (crop...4096).contains(resize) else {
      throw MobiError.config(
        "resize must be a whole number", got: "\(resize)", allowed: "\(crop) to 4096", hint: "At least the crop")
    }
    self.resize = resize
    self.crop = crop
  }

  /// As a bundle's manifest says.
  public init(_ input: Manifest.Input) throws {
    try self.init(resize: input.resize, crop: input.crop)
  }

  /// Steps 1 to 5: upright, over black, resized, cropped; `pixels` is overwritten with (crop,crop,3) RGB.
  ///
  /// Throws `MobiError.data` where the sums of an image this large would not fit into 64 bits.
  public mutating func preprocess(_ image: RGBAImage, into pixels: inout [UInt8]) throws {
    let layout = try prepareLayout(for: image)
    if pixels.count != crop * crop * 3 { pixels = [UInt8](repeating: 0, count: crop * crop * 3) }
    if layout.fitsNarrowSums {
      layout.resize(image, sums: &narrowSums, blackened: &blackenedRow, into: &pixels)
    } else {
      layout.resize(image, sums: &wideSums, blackened: &blackenedRow, into: &pixels)
    }
  }

  /// `preprocess` into a new array.
  public mutating func preprocess(_ image: RGBAImage) throws -> [UInt8] {
    var pixels: [UInt8] = []
    try preprocess(image, into: &pixels)
    return pixels
  }

  private mutating func prepareLayout(for image: RGBAImage) throws -> Layout {
    if let layout, layout.width == image.width, layout.height == image.height,
      layout.orientation == image.orientation
    {
      return layout
    }
    let made = try Layout(image, resize: resize, crop: crop)
    layout = made
    let count = made.columns.range.count * 4
    narrowSums = made.fitsNarrowSums ? [UInt32](repeating: 0, count: count) : []
    wideSums = made.fitsNarrowSums ? [] : [UInt64](repeating: 0, count: count)
    blackenedRow = [UInt8](repeating: 0, count: count)
    return made
  }
}

/// The tables for images of one size and orientation, along stored rows and columns: no image is ever turned.
private struct Layout: Sendable {
  let width: Int
  let height: Int
  let orientation: Int
  let crop: Int
  let rows: ResizeAxis
  let columns: ResizeAxis

  init(_ image: RGBAImage, resize: Int, crop: Int) throws {
    width = image.width
    height = image.height
    orientation = image.orientation
    self.crop = crop
    let shorter = min(width, height)
    rows = ResizeAxis(
      side: height, shorter: shorter, resize: resize, crop: crop, isFlipped: [3, 4, 6, 7].contains(orientation))
    columns = ResizeAxis(
      side: width, shorter: shorter, resize: resize, crop: crop, isFlipped: [2, 3, 7, 8].contains(orientation))
    let (total, overflows) = rows.largestTotal.multipliedReportingOverflow(by: columns.largestTotal)
    guard !overflows, total <= UInt64.max / 256 else {
      throw MobiError.data(
        "an image is too large to be resized to \(resize) pixels", got: "\(width)×\(height)",
        hint: "Halve the image first")
    }
  }

  /// Whether one row's weighted sums fit into 32 bits, which is the rule for photographs.
  var fitsNarrowSums: Bool { rows.largestTotal * 255 <= UInt64(UInt32.max) }

  func resize<Sum: FixedWidthInteger & UnsignedInteger>(
    _ image: RGBAImage, sums: inout [Sum], blackened: inout [UInt8], into pixels: inout [UInt8]
  ) {
    let isTurned = orientation >= 5
    image.bytes.withUnsafeBufferPointer { bytes in
      sums.withUnsafeMutableBufferPointer { sums in
        blackened.withUnsafeMutableBufferPointer { blackened in
          pixels.withUnsafeMutableBufferPointer { pixels in
            for (number, output) in rows.outputs.enumerated() {
              sumRows(output, of: bytes.baseAddress!, into: sums, blackened: blackened)
              let place = pixels.baseAddress! + (isTurned ? 3 * number : 3 * number * crop)
              averageColumns(
                UnsafeBufferPointer(sums), rowTotal: output.total, into: place, step: isTurned ? 3 * crop : 3)
            }
          }
        }
      }
    }
  }

  /// For each stored column of the crop, the weighted sum of the rows that `output` takes.
  @inline(__always)
  private func sumRows<Sum: FixedWidthInteger & UnsignedInteger>(
    _ output: ResizeAxis.Output, of bytes: UnsafePointer<UInt8>, into sums: UnsafeMutableBufferPointer<Sum>,
    blackened: UnsafeMutableBufferPointer<UInt8>
  ) {
    sums.update(repeating: 0)
    let target = sums.baseAddress!
    for number in 0..<output.count {
      let stored = bytes + ((output.start + number) * width + columns.range.lowerBound) * 4
      let weight = Sum(truncatingIfNeeded: rows.weights[output.offset + number])
      let row: UnsafePointer<UInt8>
      if isOpaque(stored, count: sums.count) {
        row = stored
      } else {
        blacken(stored, into: blackened)
        row = UnsafePointer(blackened.baseAddress!)
      }
      for index in 0..<sums.count {
        target[index] &+= weight &* Sum(truncatingIfNeeded: row[index])
      }
    }
  }

  @inline(__always)
  private func averageColumns<Sum: FixedWidthInteger & UnsignedInteger>(
    _ sums: UnsafeBufferPointer<Sum>, rowTotal: UInt64, into place: UnsafeMutablePointer<UInt8>, step: Int
  ) {
    let first = columns.range.lowerBound
    columns.weights.withUnsafeBufferPointer { weights in
      for (number, output) in columns.outputs.enumerated() {
        var (red, green, blue): (UInt64, UInt64, UInt64) = (0, 0, 0)
        var pixel = sums.baseAddress! + (output.start - first) * 4
        for index in output.offset..<output.offset + output.count {
          let weight = UInt64(weights[index])
          red &+= weight &* UInt64(truncatingIfNeeded: pixel[0])
          green &+= weight &* UInt64(truncatingIfNeeded: pixel[1])
          blue &+= weight &* UInt64(truncatingIfNeeded: pixel[2])
          pixel += 4
        }
        let total = output.total * rowTotal
        let target = place + number * step
        target[0] = UInt8(truncatingIfNeeded: (red + total / 2) / total)
        target[1] = UInt8(truncatingIfNeeded: (green + total / 2) / total)
        target[2] = UInt8(truncatingIfNeeded: (blue + total / 2) / total)
      }
    }
  }

  @inline(__always)
  private func isOpaque(_ row: UnsafePointer<UInt8>, count: Int) -> Bool {
    var common: UInt8 = 255
    for index in stride(from: 3, to: count, by: 4) { common &= row[index] }
    return common == 255
  }

  /// Step 2: each colour c with alpha a becomes (c·a + 127) div 255.
  private func blacken(_ row: UnsafePointer<UInt8>, into blackened: UnsafeMutableBufferPointer<UInt8>) {
    for start in stride(from: 0, to: blackened.count, by: 4) {
      let alpha = UInt32(row[start + 3])
      for channel in start..<start + 3 {
        blackened[channel] = UInt8(truncatingIfNeeded: (UInt32(row[channel]) * alpha + 127) / 255)
      }
    }
  }
}
