/// Does the artefact give here the logits that its manifest promises?
extension GoldenCheck {
  /// Compares logits of the golden image with the bundle's; a swap of near-equal classes does not fail it.
  ///
  /// Throws `MobiError.parity` where there are more or fewer logits than classes.
  init(_ logits: [Float], of bundle: ModelBundle) throws {
    let expected = try bundle.goldenOutput()
    guard logits.count == expected.count else {
      throw MobiError.parity(
        "\(bundle.manifest.name) gives logits of another shape here", got: "\(logits.count)",
        allowed: "\(expected.count)")
    }
    let errors = zip(logits, expected).map { abs(Double($0) - Double($1)) }
    let isFinite = errors.allSatisfy(\.isFinite)
    let error = isFinite ? errors.max() ?? 0 : nil
    self.init(
      passed: error.map { $0 <= bundle.manifest.goldenTolerance } ?? false, maxAbsError: error,
      top1Matches: isFinite && topK(logits, count: 1).first?.index == topK(expected, count: 1).first?.index)
  }

  /// Throws `MobiError.parity` where the check failed: nothing is measured then.
  func require(for bundle: ModelBundle) throws {
    guard !passed else { return }
    throw MobiError.parity(
      "\(bundle.manifest.name) is wrong about its golden image here, with \(top1Matches ? "the same" : "another") "
        + "top-1 class: largest error of a logit",
      got: maxAbsError.map { "\($0)" } ?? "not a number", allowed: "at most \(bundle.manifest.goldenTolerance)",
      hint: "Nothing was measured; export the bundle again with this version")
  }
}
