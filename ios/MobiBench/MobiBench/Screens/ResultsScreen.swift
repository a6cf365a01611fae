import MobiRuntime
import SwiftUI

/// The log as a table, to share, and to send.
struct ResultsScreen: View {
  @EnvironmentObject private var model: AppModel

  var body: some View {
    NavigationStack {
      List {
        ActivityRow()
        if model.results.isEmpty { Text(Phrase.noRuns()).foregroundStyle(.secondary) }
        ForEach(model.results) { row in
          Section(title(of: row)) { ResultFigures(row: row) }
        }
        Section {
          if !model.setAside.isEmpty {
            Label(Phrase.resultsSetAside(model.setAside.count), systemImage: "exclamationmark.triangle")
          }
          if !model.results.isEmpty {
            ShareLink(item: model.storage.log) { Label(Phrase.shareLog(), systemImage: "square.and.arrow.up") }
          }
          Button(Phrase.upload(), systemImage: "paperplane") { model.upload() }
            .disabled(model.server == nil || model.results.isEmpty || model.activity.isBusy)
          if model.server == nil { Text(Phrase.uploadNotJoined()).font(.footnote).foregroundStyle(.secondary) }
          if let progress = model.uploaded {
            Text(Phrase.uploadSent(progress.accepted + progress.duplicates)).font(.footnote)
            if !progress.rejected.isEmpty { Text(Phrase.uploadRejected(progress.rejected.count)).font(.footnote) }
          }
        }
      }
      .navigationTitle(Phrase.results())
      .task { await model.readUploaded() }
    }
  }

  /// Which bundle, how it was measured, and with which compute units: "network · burst · All".
  private func title(of row: ResultRow) -> String {
    let units = row.computeUnits.map { ComputeUnits(rawValue: $0)?.phrase() ?? $0 }
    return ([row.bundleName, row.mode.phrase()] + (units.map { [$0] } ?? [])).joined(separator: " · ")
  }
}

/// The figures of one row.
private struct ResultFigures: View {
  let row: ResultRow

  var body: some View {
    figure(.columnMedian, row.medianNs)
    figure(.columnP90, row.p90Ns)
    figure(.resultsLoad, row.loadNs)
    figure(.resultsFirst, row.firstInferenceNs)
    Text(Phrase.runsDone(row.runs)).font(.footnote).foregroundStyle(.secondary)
    if row.marked > 0 { Label(Phrase.resultsMarked(row.marked), systemImage: "moon.zzz") }
  }

  @ViewBuilder private func figure(_ name: Phrase, _ nanoseconds: Int?) -> some View {
    if let nanoseconds {
      LabeledContent(name(), value: Figures.milliseconds(nanoseconds))
    }
  }
}
