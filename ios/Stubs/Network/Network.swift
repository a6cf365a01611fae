import Foundation

/// https://developer.apple.com/documentation/dispatch/dispatchqueue/main
@_exported import Dispatch

/// https://developer.apple.com/documentation/network/nwinterface
public struct NWInterface: Hashable {}

/// https://developer.apple.com/documentation/network/nwendpoint
public enum NWEndpoint: Hashable {
  case hostPort(host: Host, port: Port)
  case service(name: String, type: String, domain: String, interface: NWInterface?)

  public struct Host: Hashable, Sendable {}
  public struct Port: Hashable, Sendable {
    public var rawValue: UInt16 { fatalError() }
  }
}

/// https://developer.apple.com/documentation/network/nwparameters
public final class NWParameters: Sendable {
  public static var tcp: NWParameters { fatalError() }
}

/// https://developer.apple.com/documentation/network/nwtxtrecord
public struct NWTXTRecord: Hashable, Sendable {
  public var dictionary: [String: String] { fatalError() }
}

/// https://developer.apple.com/documentation/network/nwbrowser
public final class NWBrowser: @unchecked Sendable {
  public enum Descriptor: Sendable {
    case bonjourWithTXTRecord(type: String, domain: String?)
  }
  public struct Result: Hashable {
    public enum Change: Hashable, Sendable {
      case identical
    }
    public enum Metadata: Hashable, Sendable {
      case bonjour(NWTXTRecord)
      case none
    }
    public let endpoint: NWEndpoint
    public let metadata: Metadata
  }

  public init(for descriptor: Descriptor, using: NWParameters) {}
  public var browseResultsChangedHandler: (@Sendable (Set<Result>, Set<Result.Change>) -> Void)?
  public func start(queue: DispatchQueue) {}
  public func cancel() {}
}

/// https://developer.apple.com/documentation/network/nwpath
public struct NWPath {
  public var remoteEndpoint: NWEndpoint? { fatalError() }
}

/// https://developer.apple.com/documentation/network/nwerror
public enum NWError: Error, Sendable {
  case posix(Int32)
}

/// https://developer.apple.com/documentation/network/nwconnection
public final class NWConnection: @unchecked Sendable {
  public enum State: Sendable {
    case setup
    case waiting(NWError)
    case preparing
    case ready
    case failed(NWError)
    case cancelled
  }

  public init(to: NWEndpoint, using: NWParameters) {}
  public var stateUpdateHandler: (@Sendable (State) -> Void)?
  public var currentPath: NWPath? { fatalError() }
  public func start(queue: DispatchQueue) {}
  public func cancel() {}
}
