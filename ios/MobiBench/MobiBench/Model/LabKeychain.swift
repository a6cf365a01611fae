import Foundation
import MobiRuntime
import Security

/// The joined lab server in the Keychain: on this phone alone, in no backup, readable once it has been unlocked.
enum LabKeychain {
  private static let service = "dev.mobisdk.MobiBench.lab"

  /// Nil where none was joined.
  static func read() throws -> LabServer? {
    var query = item
    query[kSecReturnData as String] = true
    query[kSecMatchLimit as String] = kSecMatchLimitOne
    var found: CFTypeRef?
    let status = SecItemCopyMatching(query as CFDictionary, &found)
    if status == errSecItemNotFound { return nil }
    guard status == errSecSuccess, let content = found as? Data else { throw refusal(status) }
    guard let server = try? JSONDecoder().decode(LabServer.self, from: content) else {
      try forget()  // of another version of the app: joining again is all that helps
      return nil
    }
    return server
  }

  /// Replaces what was joined before.
  static func write(_ server: LabServer) throws {
    try forget()
    var query = item
    query[kSecAttrAccessible as String] = kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly
    query[kSecValueData as String] = try JSONEncoder().encode(server)
    let status = SecItemAdd(query as CFDictionary, nil)
    guard status == errSecSuccess else { throw refusal(status) }
  }

  /// Nothing of a server stays.
  static func forget() throws {
    let status = SecItemDelete(item as CFDictionary)
    guard status == errSecSuccess || status == errSecItemNotFound else { throw refusal(status) }
  }

  private static var item: [String: Any] {
    [kSecClass as String: kSecClassGenericPassword, kSecAttrService as String: service]
  }

  private static func refusal(_ status: OSStatus) -> MobiError {
    .device("the Keychain refuses the lab server's token", got: "\(status)", hint: "Unlock the phone and try again")
  }
}
