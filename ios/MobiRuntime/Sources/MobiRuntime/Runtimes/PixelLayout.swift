/// From (H,W,3) uint8 RGB, rows from the top, to the layouts that runtimes take.
enum PixelLayout {
  /// 32-bit BGRA, opaque, in rows of `bytesPerRow` bytes, as a pixel buffer holds them.
  static func writeBGRA(
    _ pixels: [UInt8], width: Int, height: Int, bytesPerRow: Int, to target: UnsafeMutableRawPointer
  ) {
    precondition(pixels.count == width * height * 3 && bytesPerRow >= width * 4)
    pixels.withUnsafeBufferPointer { source in
      for row in 0..<height {
        var from = row * width * 3
        var into = row * bytesPerRow
        for _ in 0..<width {
          let (red, green, blue) = (source[from], source[from + 1], source[from + 2])
          // One store a pixel; the phone and every computer that builds this are little-endian.
          let pixel = UInt32(blue) | UInt32(green) << 8 | UInt32(red) << 16 | 0xFF00_0000
          target.storeBytes(of: pixel, toByteOffset: into, as: UInt32.self)
          from += 3
          into += 4
        }
      }
    }
  }

  /// (3,H,W) in [0,1]; `strides` are the floats from one channel, row and column to the next.
  static func writePlanes(
    _ pixels: [UInt8], width: Int, height: Int, strides: (channel: Int, row: Int, column: Int),
    to target: UnsafeMutablePointer<Float>
  ) {
    precondition(pixels.count == width * height * 3)
    pixels.withUnsafeBufferPointer { source in
      for row in 0..<height {
        var from = row * width * 3
        var into = row * strides.row
        for _ in 0..<width {
          for channel in 0..<3 { target[into + channel * strides.channel] = Float(source[from + channel]) / 255 }
          from += 3
          into += strides.column
        }
      }
    }
  }
}
