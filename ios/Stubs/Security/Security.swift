import Foundation
import FoundationNetworking

/// https://developer.apple.com/documentation/security/sectrust
public class SecTrust {}

/// https://developer.apple.com/documentation/security/seccertificate
public class SecCertificate {}

/// https://developer.apple.com/documentation/security/sectrustcopycertificatechain(_:)
public func SecTrustCopyCertificateChain(_ trust: SecTrust) -> CFArray? { fatalError() }

/// https://developer.apple.com/documentation/security/seccertificatecopydata(_:)
public func SecCertificateCopyData(_ certificate: SecCertificate) -> CFData { fatalError() }

/// Toll-free bridged on Apple's systems: https://developer.apple.com/documentation/corefoundation/cfarray
public typealias CFArray = NSArray

/// Toll-free bridged on Apple's systems: https://developer.apple.com/documentation/corefoundation/cfdata
public typealias CFData = NSData

extension URLProtectionSpace {
  /// https://developer.apple.com/documentation/foundation/urlprotectionspace/servertrust
  public var serverTrust: SecTrust? { fatalError() }
}

extension URLCredential {
  /// https://developer.apple.com/documentation/foundation/urlcredential/init(trust:)
  public convenience init(trust: SecTrust) { fatalError() }
}

/// https://developer.apple.com/documentation/foundation/nsurlauthenticationmethodservertrust
public let NSURLAuthenticationMethodServerTrust = "NSURLAuthenticationMethodServerTrust"
