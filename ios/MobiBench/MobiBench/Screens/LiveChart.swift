import Charts
import SwiftUI

/// The latest samples as they come, one a second.
struct LiveChart: View {
  let points: [BenchmarkState.Point]
  @ScaledMetric private var height: CGFloat = 180

  var body: some View {
    Chart(points) { point in
      PointMark(
        x: .value(Phrase.benchmarkChartSeconds(), point.seconds),
        y: .value(Phrase.benchmarkChartMilliseconds(), point.milliseconds)
      )
      .foregroundStyle(by: .value(Phrase.bundleToClassifyWith(), point.bundleName))
    }
    .chartXAxisLabel(Phrase.benchmarkChartSeconds())
    .chartYAxisLabel(Phrase.benchmarkChartMilliseconds())
    .frame(height: height)
    .accessibilityLabel(Phrase.benchmarkChart())
  }
}
