import MobiRuntime
import SwiftUI

/// The lab server: joined, with its bundles; or to be found.
struct LabSection: View {
  @EnvironmentObject private var model: AppModel
  @StateObject private var browser = LabBrowser()

  var body: some View {
    Section(model.server == nil ? Phrase.lab() : Phrase.labOffers()) {
      if let server = model.server {
        Text(Phrase.serverJoined(server.host))
        if model.offered?.isEmpty == true { Text(Phrase.labOffersNone()).foregroundStyle(.secondary) }
        ForEach(model.offered ?? [], id: \.bundleID) { summary in
          Button(Phrase.downloadOf(summary.name), systemImage: "arrow.down.circle") { model.download(summary) }
        }
        Button(Phrase.refresh(), systemImage: "arrow.clockwise") { model.refreshOffered() }
        Button(Phrase.leave(), systemImage: "xmark.circle", role: .destructive) { model.leaveServer() }
      } else if browser.isLooking {
        ProgressView { Text(Phrase.serverSearching()) }
        ForEach(browser.found) { service in
          Button(service.name, systemImage: "desktopcomputer") {
            Task { await model.choose(service, of: browser) }
          }
        }
      } else {
        Text(Phrase.labNotJoined()).foregroundStyle(.secondary)
        Button(Phrase.serverSearch(), systemImage: "magnifyingglass") { browser.start() }
      }
    }
    .disabled(model.activity.isBusy)
    .onDisappear { browser.stop() }
  }
}

/// The question before anything is sent: is this the server that you mean?
struct JoinSheet: View {
  let request: JoinRequest
  @EnvironmentObject private var model: AppModel
  @State private var code = ""

  var body: some View {
    NavigationStack {
      Form {
        Section { Text(Phrase.labConfirming("\(request.host):\(request.port)")) }
        Section(Phrase.joinFingerprint()) {
          Text(request.readableFingerprint).font(.body.monospaced()).textSelection(.enabled)
            // Hexadecimal digits run from left to right in every language.
            .environment(\.layoutDirection, .leftToRight)
        }
        if request.needsCode {
          Section {
            TextField(Phrase.joinCode(), text: $code)
              .autocorrectionDisabled()
              .textInputAutocapitalization(.never)
          }
        }
      }
      .navigationTitle(Phrase.joinTitle())
      .navigationBarTitleDisplayMode(.inline)
      .toolbar {
        ToolbarItem(placement: .cancellationAction) {
          Button(Phrase.cancel(), role: .cancel) { model.activity.dismiss() }
        }
        ToolbarItem(placement: .confirmationAction) {
          Button(Phrase.join()) { model.join(request, code: code) }.disabled(!canJoin)
        }
      }
    }
  }

  /// False until the code is whole: a failure could not be shown over a sheet that is closing.
  private var canJoin: Bool { (try? request.confirmed(code: code)) != nil }
}
