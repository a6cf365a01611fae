/// Step 5 along one side: which stored pixels each output of the crop takes, and with which whole-number weights.
struct ResizeAxis: Sendable {
  struct Output: Sendable {
    /// The first stored pixel it takes.
    let start: Int
    /// Where its weights begin in `weights`.
    let offset: Int
    /// How many pixels it takes.
    let count: Int
    /// The sum of its weights, T(i).
    let total: UInt64
  }

  let outputs: [Output]
  let weights: [UInt32]
  /// The stored pixels that any output takes.
  let range: Range<Int>
  let largestTotal: UInt64

  /// `side` pixels of an image whose shorter side is `shorter`; flipped where the stored pixels run the other way.
  init(side: Int, shorter: Int, resize: Int, crop: Int, isFlipped: Bool) {
    let resized = (2 * side * resize + shorter) / (2 * shorter)
    let first = (resized - crop) / 2
    let reach = 2 * max(side, resized)
    var outputs: [Output] = []
    var weights: [UInt32] = []
    for output in first..<first + crop {
      let centre = (2 * output + 1) * side
      let begin = weights.count
      // The smallest j with a weight above 0, from (2j + 1)·m > centre - reach, rounding towards minus infinity.
      var input = max(0, Self.floorDivide(centre - reach - resized, 2 * resized) + 1)
      let start = input
      while input < side {
        let weight = reach - abs((2 * input + 1) * resized - centre)
        guard weight > 0 else { break }
        weights.append(UInt32(weight))
        input += 1
      }
      if isFlipped { weights[begin...].reverse() }
      outputs.append(
        Output(
          start: isFlipped ? side - input : start, offset: begin, count: input - start,
          total: weights[begin...].reduce(0) { $0 + UInt64($1) }))
    }
    self.outputs = outputs
    self.weights = weights
    range = outputs.map(\.start).min()!..<outputs.map { $0.start + $0.count }.max()!
    largestTotal = outputs.map(\.total).max()!
  }

  private static func floorDivide(_ number: Int, _ divisor: Int) -> Int {
    number >= 0 ? number / divisor : -((divisor - 1 - number) / divisor)
  }
}
