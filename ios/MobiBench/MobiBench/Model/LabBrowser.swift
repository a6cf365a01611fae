import Foundation
import MobiRuntime
import Network
import SwiftUI

/// Finds lab servers in this network by Bonjour. Whoever answers is only shown: the person compares the fingerprint.
@MainActor
final class LabBrowser: ObservableObject {
  private static let serviceType = "_mobisdk._tcp"

  /// A service that was announced.
  struct Found: Identifiable, Sendable {
    let name: String
    let domain: String
    let fingerprint: String

    var id: String { "\(name).\(domain)" }
  }

  @Published private(set) var found: [Found] = []
  @Published private(set) var isLooking = false
  private var browser: NWBrowser?

  /// Looks until `stop`; iOS asks for the local network the first time.
  func start() {
    guard browser == nil else { return }
    let browser = NWBrowser(for: .bonjourWithTXTRecord(type: Self.serviceType, domain: nil), using: .tcp)
    browser.browseResultsChangedHandler = { [weak self] results, _ in
      let found = results.compactMap(Found.init).sorted { $0.id < $1.id }
      MainActor.assumeIsolated { self?.found = found }  // the queue below is the main one
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

  /// Asks where a service is, and makes a request of it that the person is to confirm.
  ///
  /// Throws `MobiError.server` where it does not answer.
  func resolve(_ service: Found) async throws -> JoinRequest {
    let endpoint = NWEndpoint.service(
      name: service.name, type: Self.serviceType, domain: service.domain, interface: nil)
    let connection = NWConnection(to: endpoint, using: .tcp)
    defer { connection.cancel() }
    let (answers, continuation) = AsyncStream<(host: String, port: Int)?>.makeStream()
    connection.stateUpdateHandler = { [weak connection] state in
      switch state {
      case .ready: continuation.yield(connection?.currentPath?.remoteEndpoint.flatMap(Self.readAddress))
      case .failed, .waiting, .cancelled: continuation.yield(nil)
      default: return
      }
      continuation.finish()
    }
    connection.start(queue: .main)
    for await answer in answers {
      guard let (host, port) = answer else { break }
      return .discovered(name: service.name, host: host, port: port, fingerprint: service.fingerprint)
    }
    throw MobiError.server("the lab server \(service.name) does not answer", hint: "Scan its QR code instead")
  }

  /// Without the interface that Network adds ("192.168.1.20%en0"), which is no part of an address.
  private nonisolated static func readAddress(_ endpoint: NWEndpoint) -> (host: String, port: Int)? {
    guard case .hostPort(let host, let port) = endpoint else { return nil }
    return (String("\(host)".prefix { $0 != "%" }), Int(port.rawValue))
  }
}

extension LabBrowser.Found {
  /// Nil where a service does not say what a lab server says.
  fileprivate init?(_ result: NWBrowser.Result) {
    guard case .service(let name, _, let domain, _) = result.endpoint, case .bonjour(let record) = result.metadata,
      record.dictionary["v"] == "1", let fingerprint = record.dictionary["sha256"]
    else { return nil }
    self.init(name: name, domain: domain, fingerprint: fingerprint)
  }
}
