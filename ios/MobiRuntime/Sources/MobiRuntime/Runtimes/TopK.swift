import Foundation

/// A class and how likely it is.
public struct Prediction: Equatable, Sendable {
  /// The class, from 0.
  public var index: Int
  /// Softmax probability.
  public var probability: Double
}

/// The likeliest classes, best first, each with its softmax probability; of equal logits the smaller class comes first.
public func topK(_ logits: [Float], count: Int = 5) -> [Prediction] {
  var best: [Prediction] = []
  selectTop(count, of: logits, into: &best)
  return best
}

/// `topK` into an array that is kept, so that a sample allocates nothing.
func selectTop(_ count: Int, of logits: [Float], into best: inout [Prediction]) {
  best.removeAll(keepingCapacity: true)
  guard let largest = logits.max() else { return }
  var total = 0.0
  for (index, logit) in logits.enumerated() {
    let share = exp(Double(logit - largest))
    total += share
    var place = best.count
    while place > 0, best[place - 1].probability < share { place -= 1 }
    guard place < count else { continue }
    if best.count == count { best.removeLast() }
    best.insert(Prediction(index: index, probability: share), at: place)
  }
  for index in best.indices { best[index].probability /= total }
}
