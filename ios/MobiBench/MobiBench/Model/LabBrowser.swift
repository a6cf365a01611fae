import Foundation
import MobiRuntime
import Network
import SwiftUI

/// Finds lab servers in this network by Bonjour. Whoever answers is only shown: the person compares the fingerprint.
@MainActor
final class LabBrowser: ObservableObject {
  private static let serviceType = "_mobisdk._tcp"

  /// A service that was announced.
  struct Found: Identifiable {
    let name: String
    let fingerprint: String
    let endpoint: NWEndpoint

    var id: String { name }
  }

  @Published private(set) var found: [Found] = []
  @Published private(set) var isLooking = false
  private var browser: NWBrowser?

  /// Looks until `stop`; iOS asks for the local network the first time.
  func start() {
    guard browser == nil else { return }
    let browser = NWBrowser(for: .bonjourWithTXTRecord(type: Self.serviceType, domain: nil), using: .tcp)
    browser.browseResultsChangedHandler = { [weak self] results, _ in
      MainActor.assumeIsolated { self?.show(results) }
    }
    browser.start(queue: .main)
    self.browser = browser
    isLooking = true
  }

  /// Ends looking.
  func stop() {
    browser?.cancel()
    browser = nil
    isLooking = false
    found = []
  }

  private func show(_ results: Set<NWBrowser.Result>) {
    found = results.compactMap { result in
      guard case .service(let name, _, _, _) = result.endpoint, case .bonjour(let record) = result.metadata,
        record.dictionary["v"] == "1", let fingerprint = record.dictionary["sha256"]
      else { return nil }
      return Found(name: name, fingerprint: fingerprint, endpoint: result.endpoint)
    }.sorted { $0.name < $1.name }
  }

  /// Asks where a service is, and makes a request of it that the person is to confirm.
  ///
  /// Throws `MobiError.server` where it does not answer.
  func resolve(_ service: Found) async throws -> JoinRequest {
    let connection = NWConnection(to: service.endpoint, using: .tcp)
    defer { connection.cancel() }
    let (answers, continuation) = AsyncStream<NWEndpoint?>.makeStream()
    connection.stateUpdateHandler = { [weak connection] state in
      switch state {
      case .ready: continuation.yield(connection?.currentPath?.remoteEndpoint)
      case .failed, .waiting, .cancelled: continuation.yield(nil)
      default: return
      }
      continuation.finish()
    }
    connection.start(queue: .main)
    for await endpoint in answers {
      guard case .hostPort(let host, let port)? = endpoint else { break }
      return .discovered(
        name: service.name, host: Self.address(of: host), port: Int(port.rawValue), fingerprint: service.fingerprint)
    }
    throw MobiError.server("the lab server \(service.name) does not answer", hint: "Scan its QR code instead")
  }

  /// Without the interface that Network adds ("192.168.1.20%en0"), which is no part of an address.
  private static func address(of host: NWEndpoint.Host) -> String {
    String("\(host)".prefix { $0 != "%" })
  }
}
