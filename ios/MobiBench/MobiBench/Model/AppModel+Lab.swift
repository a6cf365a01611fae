import Foundation
import MobiRuntime
import UIKit

extension AppModel {
  /// A `mobisdk://` link was opened: the person is asked, and nothing is sent before.
  func open(_ url: URL) {
    do {
      let request = JoinRequest.link(try JoinLink(url.absoluteString))
      if !activity.begin(.confirmingServer(request)) {
        throw MobiError.config("the app is busy", hint: "Scan the QR code again when it is done")
      }
    } catch {
      if !activity.isBusy { fail(error) }
    }
  }

  /// A server that Bonjour found was chosen: the person is asked.
  func choose(_ service: LabBrowser.Found, of browser: LabBrowser) async {
    do {
      _ = activity.begin(.confirmingServer(try await browser.resolve(service)))
    } catch {
      if !activity.isBusy { fail(error) }
    }
  }

  /// The person said yes: exchanges the one-time code for a token of this phone's own.
  func join(_ request: JoinRequest, code: String) {
    perform(.joining(host: request.host)) { [self] in
      let link = try request.confirmed(code: code)
      let transport = try PinnedTransport(host: link.host, port: link.port, fingerprint: link.fingerprint)
      let token = try await LabClient(transport: transport, token: nil).join(
        code: link.code, deviceName: UIDevice.current.model)
      let joined = LabServer(host: link.host, port: link.port, fingerprint: link.fingerprint, token: token)
      try LabKeychain.write(joined)
      server = joined
      offered = try await makeClient(joined).listBundles()
    }
  }

  /// Forgets the server and the token.
  func leaveServer() {
    do {
      try LabKeychain.forget()
      (server, offered) = (nil, nil)
    } catch {
      fail(error)
    }
  }

  /// Asks the server what it has.
  func refreshOffered() {
    guard let server else { return }
    perform(.joining(host: server.host)) { [self] in offered = try await makeClient(server).listBundles() }
  }

  /// Fetches a bundle; one that broke off goes on where it was.
  func download(_ summary: BundleSummary) {
    guard let server else { return }
    perform(.downloading(name: summary.name, share: 0)) { [self] in
      _ = try await store.download(summary.bundleID, from: makeClient(server)) { share in
        Task { @MainActor in self.activity.noteDownload(share: share) }
      }
      await reload()
    }
  }

  /// Sends what the server does not have yet of the log.
  func upload() {
    guard let server else { return }
    perform(.uploading) { [self] in
      uploaded = try await Uploader(log: storage.log, client: makeClient(server)).sendAll()
    }
  }

  /// What was sent in earlier starts of the app.
  func readUploaded() async {
    guard let server, let client = try? makeClient(server) else { return }
    uploaded = await Uploader(log: storage.log, client: client).progress()
  }

  /// A token that the server takes no more is forgotten, so that the screen asks to join again.
  private func makeClient(_ server: LabServer) throws -> LabClient {
    LabClient(
      transport: try PinnedTransport(host: server.host, port: server.port, fingerprint: server.fingerprint),
      token: server.token, onTokenRefused: { [weak self] in await self?.leaveServer() })
  }
}
