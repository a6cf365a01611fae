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
          Section("\(row.bundleName) · \(row.mode.phrase())") { ResultFigures(row: row) }
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
          Text(uploadState).font(.footnote).foregroundStyle(.secondary)
        }
      }
      .navigationTitle(Phrase.results())
      .task { await model.readUploaded() }
    }
  }

  private var uploadState: String {
    guard let progress = model.uploaded, progress.sentBytes > 0 else { return Phrase.uploadNone() }
    return Phrase.uploadState(progress.accepted, progress.duplicates, progress.rejected.count)
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
    Text(Phrase.resultsRuns(row.runs)).font(.footnote).foregroundStyle(.secondary)
    if row.marked > 0 { Label(Phrase.resultsMarked(row.marked), systemImage: "moon.zzz") }
  }

  @ViewBuilder private func figure(_ name: Phrase, _ nanoseconds: Int?) -> some View {
    if let nanoseconds {
      LabeledContent(name(), value: Phrase.resultsValue(Figures.milliseconds(nanoseconds)))
    }
  }
}
