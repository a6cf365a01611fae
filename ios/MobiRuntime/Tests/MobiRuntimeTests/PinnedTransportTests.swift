#if canImport(Glibc)
  import Foundation
  import Glibc
  import Testing

  @testable import MobiRuntime

  /// A server on this computer that answers each connection with given bytes and closes it.
  private final class LoopbackServer: @unchecked Sendable {
    let port: Int
    let requests = Collected<String>()
    private let listener: Int32

    init(_ answers: [String]) throws {
      listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = inet_addr("127.0.0.1")
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      let listener = listener
      let isBound = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(listener, $0, length) == 0 && listen(listener, 8) == 0 && getsockname(listener, $0, &length) == 0
        }
      }
      try #require(isBound)
      port = Int(UInt16(bigEndian: address.sin_port))
      let requests = requests
      Thread.detachNewThread {
        for answer in answers {
          let connection = accept(listener, nil, nil)
          guard connection >= 0 else { return }
          var request: [UInt8] = []
          var buffer = [UInt8](repeating: 0, count: 65_536)
          while !Self.isWhole(request) {
            let count = read(connection, &buffer, buffer.count)
            guard count > 0 else { break }
            request += buffer[..<count]
          }
          requests.add(String(decoding: request, as: UTF8.self))
          let bytes = Array(answer.utf8)
          _ = write(connection, bytes, bytes.count)
          close(connection)
        }
      }
    }

    deinit {
      shutdown(listener, Int32(SHUT_RDWR))
      close(listener)
    }

    private static func isWhole(_ request: [UInt8]) -> Bool {
      let text = String(decoding: request, as: UTF8.self)
      guard let end = text.range(of: "\r\n\r\n") else { return false }
      let length = text[..<end.lowerBound].lowercased().split(separator: "\r\n").lazy
        .compactMap {
          $0.hasPrefix("content-length:") ? Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces)) : nil
        }
      return text[end.upperBound...].utf8.count >= length.first ?? 0
    }
  }

  /// The transport over real sockets; what Linux cannot do, pinning, is Apple's alone.
  @Suite struct PinnedTransportTests {
    private func collect(_ answer: HTTPAnswer) async throws -> String {
      var body = Data()
      for try await piece in answer.body { body += piece }
      return String(decoding: body, as: UTF8.self)
    }

    @Test func aRequestAndItsAnswerGoThrough() async throws {
      let server = try LoopbackServer(["HTTP/1.1 201 Created\r\nContent-Length: 2\r\nX-Thing: y\r\n\r\nok"])
      let transport = try PinnedTransport(loopbackPort: server.port)
      let answer = try await transport.send(
        HTTPRequest(method: "POST", path: "/v1/runs?x=1", headers: ["Authorization": "Bearer t"], body: Data("ab".utf8))
      )
      #expect(answer.status == 201)
      #expect(answer.headers["x-thing"] == "y")
      #expect(try await collect(answer) == "ok")
      let request = try #require(server.requests.items.first)
      #expect(request.hasPrefix("POST /v1/runs?x=1 HTTP/1.1\r\n"))
      #expect(request.contains("Authorization: Bearer t\r\n"))
      #expect(request.hasSuffix("\r\n\r\nab"))
    }

    @Test func redirectsAreNotFollowed() async throws {
      let server = try LoopbackServer([
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
      ])
      let answer = try await PinnedTransport(loopbackPort: server.port).send(HTTPRequest(path: "/v1/bundles"))
      #expect(answer.status == 307)
      #expect(server.requests.items.count == 1)
    }

    @Test func aBodyThatBreaksOffIsAnErrorOfTheServer() async throws {
      let server = try LoopbackServer(["HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"])
      let answer = try await PinnedTransport(loopbackPort: server.port).send(HTTPRequest(path: "/"))
      let error = await thrownError { try await collect(answer) }
      #expect(error.map(errorName) == "ServerError")
    }

    @Test func aServerThatIsGoneIsSaidWithTheNextStep() async throws {
      let port = try LoopbackServer([]).port
      let transport = try PinnedTransport(loopbackPort: port)
      let error = await thrownError { try await transport.send(HTTPRequest(path: "/")) }
      #expect(error?.description.hasPrefix("the lab server cannot be reached") == true)
      #expect(error?.description.contains("mobisdk serve") == true)
    }

    @Test func addressesAndPathsThatAreNoneAreRefused() async throws {
      #expect(mobiError { _ = try PinnedTransport(host: "a b", port: 1, fingerprint: "") }?.kind == "ConfigError")
      _ = try PinnedTransport(host: "fe80::1", port: 8443, fingerprint: "")
      let transport = try PinnedTransport(host: "lab.local", port: 8443, fingerprint: "")
      for path in ["v1", "//evil.example/v1"] {
        let error = await thrownError { try await transport.send(HTTPRequest(path: path)) }
        #expect(error.map(errorName) == "ConfigError")
      }
    }
  }
#endif
