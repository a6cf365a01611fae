import MobiRuntime
import PhotosUI
import SwiftUI

/// A photograph in, the five likeliest classes out, with milliseconds.
struct ClassifyScreen: View {
  @EnvironmentObject private var model: AppModel
  @State private var bundleName: String?
  @State private var item: PhotosPickerItem?
  @State private var isTakingPhoto = false

  var body: some View {
    NavigationStack {
      List {
        Section {
          Picker(Phrase.bundleToClassifyWith(), selection: $bundleName) {
            ForEach(model.bundles, id: \.manifest.bundleID) { bundle in
              Text(bundle.manifest.name).tag(Optional(bundle.manifest.name))
            }
          }
          PhotosPicker(selection: $item, matching: .images) {
            Label(Phrase.choosePhoto(), systemImage: "photo.on.rectangle")
          }
          .disabled(bundle == nil || model.activity.isBusy)
          if CameraPicker.isAvailable {
            Button(Phrase.takePhoto(), systemImage: "camera") { isTakingPhoto = true }
              .disabled(bundle == nil || model.activity.isBusy)
          }
        }
        ActivityRow()
        answers
      }
      .navigationTitle(Phrase.classify())
      .task { chooseFirst() }
      .onChange(of: model.bundles) { _ in chooseFirst() }
      .onChange(of: item) { item in
        guard let item else { return }
        Task { await load(item) }
      }
      .fullScreenCover(isPresented: $isTakingPhoto) {
        CameraPicker { photo in
          isTakingPhoto = false
          classify(photo)
        }
        .ignoresSafeArea()
      }
    }
  }

  @ViewBuilder private var answers: some View {
    if let classification = model.classification {
      Section {
        ForEach(Array(classification.predictions.enumerated()), id: \.offset) { _, answer in
          HStack {
            Text(answer.label)
            Spacer()
            Text(Phrase.percent(Figures.percent(answer.probability))).monospacedDigit()
          }
          .accessibilityElement(children: .ignore)
          .accessibilityLabel(Phrase.classifyAnswer(answer.label, Phrase.percent(Figures.percent(answer.probability))))
        }
      } footer: {
        Text(
          Phrase.classifyTimes(
            Figures.milliseconds(classification.preprocessNs), Figures.milliseconds(classification.inferenceNs)))
      }
    } else {
      Text(Phrase.classifyEmpty()).foregroundStyle(.secondary)
    }
  }

  private var bundle: ModelBundle? {
    model.bundles.first { $0.manifest.name == bundleName }
  }

  /// The first bundle, where the chosen one is gone or none was chosen.
  private func chooseFirst() {
    if bundle == nil { bundleName = model.bundles.first?.manifest.name }
  }

  private func load(_ item: PhotosPickerItem) async {
    do {
      guard let photo = try await item.loadTransferable(type: Data.self) else {
        throw MobiError.data(
          "the photograph is not on this phone", hint: "Open it in Photos once, then choose it again")
      }
      classify(photo)
    } catch {
      model.fail(error)
    }
    self.item = nil
  }

  private func classify(_ photo: Data?) {
    if let photo, let bundle { model.classify(photo, with: bundle) }
  }
}
