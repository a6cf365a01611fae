import Foundation

@testable import MobiRuntime

/// The golden files that Python, Kotlin and Swift all read.
enum ContractFiles {
  /// `tests/contract` of this repository.
  static let folder: URL = {
    var repository = URL(fileURLWithPath: #filePath)
    for _ in 0..<6 { repository.deleteLastPathComponent() }
    return repository.appendingPathComponent("tests/contract")
  }()

  static func bytes(_ path: String) throws -> [UInt8] {
    Array(try Data(contentsOf: folder.appendingPathComponent(path)))
  }

  /// Read by the system's decoder, not by the parser under test.
  static func decode<Value: Decodable>(_ type: Value.Type, _ path: String) throws -> Value {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(type, from: Data(contentsOf: folder.appendingPathComponent(path)))
  }

  static func lines(_ path: String) throws -> [ArraySlice<UInt8>] {
    try bytes(path).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast()
  }
}

/// A folder of one test, gone when the test is done.
final class ScratchFolder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("mobi-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit {
    try? FileManager.default.removeItem(at: url)
  }
}

/// The sentence of the `MobiError` that `body` throws, and its kind; nil where it throws none.
func mobiError(_ body: () throws -> Void) -> (kind: String, text: String)? {
  do {
    try body()
    return nil
  } catch let error as MobiError {
    return (errorName(error), error.description)
  } catch {
    return ("\(type(of: error))", "\(error)")
  }
}

/// The name of the error in Python and Kotlin.
func errorName(_ error: MobiError) -> String {
  switch error {
  case .config: "ConfigError"
  case .unsupported: "UnsupportedError"
  case .data: "DataError"
  case .bundle: "BundleError"
  case .conversion: "ConversionError"
  case .parity: "ParityError"
  case .device: "DeviceError"
  case .server: "ServerError"
  }
}

/// The `MobiError` that `body` throws; nil where it throws none.
func thrownError<Value: Sendable>(_ body: () async throws -> Value) async -> MobiError? {
  do {
    _ = try await body()
    return nil
  } catch {
    return error as? MobiError
  }
}
