import MobiRuntime
import SwiftUI

/// What is on this phone, and what the lab server has.
struct BundlesScreen: View {
  @EnvironmentObject private var model: AppModel
  @State private var isChoosing = false

  var body: some View {
    NavigationStack {
      List {
        ActivityRow()
        Section(Phrase.bundlesOnPhone()) {
          if model.bundles.isEmpty, model.damaged.isEmpty { Text(Phrase.bundlesEmpty()).foregroundStyle(.secondary) }
          ForEach(model.bundles, id: \.manifest.bundleID) { bundle in
            BundleRow(bundle: bundle)
              .swipeActions {
                Button(Phrase.bundlesRemove(), role: .destructive) { model.removeBundle(bundle) }
              }
          }
          ForEach(model.damaged, id: \.name) { folder in
            Label(Phrase.bundlesDamaged(folder.error.description), systemImage: "exclamationmark.triangle")
          }
          Button(Phrase.addFile(), systemImage: "folder") { isChoosing = true }
            .disabled(model.activity.isBusy)
        }
        LabSection()
      }
      .navigationTitle(Phrase.bundles())
      .fileImporter(isPresented: $isChoosing, allowedContentTypes: [.folder, .zip]) { choice in
        switch choice {
        case .success(let url): model.addBundle(from: url)
        case .failure(let error): model.fail(error)
        }
      }
    }
  }
}

/// One bundle: its name, size and recipe; and whether it knows anything.
struct BundleRow: View {
  let bundle: ModelBundle

  var body: some View {
    VStack(alignment: .leading) {
      Text(bundle.manifest.name).font(.headline)
      Text(detail(Figures.megabytes(bundle.manifest.modelSizeBytes), bundle.manifest.target.recipe))
        .font(.subheadline).foregroundStyle(.secondary)
    }
    .accessibilityElement(children: .combine)
  }

  private var detail: Phrase {
    bundle.manifest.model.weightsSource == .random ? .bundleDetailUntrained : .bundleDetail
  }
}

/// Something that takes a while, with its share where that is known.
struct ActivityRow: View {
  @EnvironmentObject private var model: AppModel

  var body: some View {
    switch model.activity {
    case .downloading(let name, let share):
      ProgressView(value: share) {
        Text(name)
      } currentValueLabel: {
        Text(Phrase.downloading(Figures.percent(share)))
      }
    case .uploading:
      ProgressView { Text(Phrase.uploadSending()) }
    case .joining(let host):
      ProgressView { Text(Phrase.labJoining(host)) }
    case .classifying:
      ProgressView { Text(Phrase.classifying()) }
    case .addingBundle:
      ProgressView { Text(Phrase.working()) }
    case .idle, .confirmingServer, .benchmarking, .failed:
      EmptyView()
    }
  }
}
