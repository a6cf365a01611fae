import Foundation
import Testing

@testable import MobiRuntime

/// The recorded answers to joining and to listing bundles.
@Suite struct LabClientTests {
  /// The word of the contract for what became of an answer.
  static func word(_ body: () async throws -> Void) async -> String {
    do {
      try await body()
      return "use"
    } catch LabRefusal.retry {
      return "retry"
    } catch LabRefusal.signIn {
      return "sign_in"
    } catch LabRefusal.split {
      return "split"
    } catch LabRefusal.giveUp {
      return "give_up"
    } catch {
      return "\(error)"
    }
  }

  @Test func everyAnswerToAListIsTakenAsExpected() async throws {
    let names = try RecordedAnswer.names("bundles")
    #expect(names.count >= 7)
    for name in names {
      let recorded = try RecordedAnswer.load(name)
      let read = Collected<Int>()
      let transport = ScriptedTransport { _, _ in recorded.answer(noting: read) }
      let client = LabClient(transport: transport, token: "a-token")
      #expect(await Self.word { _ = try await client.fetchBundles() } == recorded.expect, "\(name)")
      let bytesRead = read.items.reduce(0, +)
      #expect(bytesRead <= 1_200_000, "\(name)")
      #expect(transport.requests.map(\.headers["Authorization"]) == ["Bearer a-token"])
    }
  }

  @Test func aListNamesBundles() async throws {
    let recorded = try RecordedAnswer.load("bundles_unknown_keys")
    let client = LabClient(transport: ScriptedTransport { _, _ in recorded.answer() }, token: "a-token")
    let bundles = try await client.listBundles()
    let bundle = try ContractFiles.androidBundle()
    #expect(bundles.map(\.bundleID) == [bundle.manifest.bundleID])
    #expect(bundles[0].name == bundle.manifest.name)
    #expect(bundles[0].recipe == "xnnpack_fp32")
    #expect(bundles[0].sizeBytes == bundle.manifest.files.values.reduce(0) { $0 + $1.sizeBytes })
  }

  @Test func everyAnswerToJoiningIsTakenAsExpected() async throws {
    for name in try RecordedAnswer.names("join") {
      let recorded = try RecordedAnswer.load(name)
      let transport = ScriptedTransport { _, _ in recorded.answer() }
      let client = LabClient(transport: transport, token: nil)
      let word = await Self.word {
        let token = try await client.fetchToken(code: "one-time-code", deviceName: "Pixel 8")
        #expect(token == "a-token")
      }
      #expect(word == recorded.expect, "\(name)")
      let sent = try #require(transport.requests.first)
      #expect(sent.method == recorded.request.method)
      #expect(sent.path == recorded.request.path)
      #expect(sent.headers == recorded.request.headers)
      let (body, expected) = try (JSONParser.parse(sent.body), JSONParser.parse((recorded.request.body ?? "").utf8))
      #expect(body == expected)
    }
  }

  @Test func aRefusedTokenIsForgottenAndThePersonIsAskedToJoinAgain() async throws {
    let recorded = try RecordedAnswer.load("upload_401")
    let forgotten = Collected<Bool>()
    let client = LabClient(
      transport: ScriptedTransport { _, _ in recorded.answer() }, token: "old", onTokenRefused: { forgotten.add(true) })
    let error = await thrownError { try await client.listBundles() }
    #expect(error?.description.hasPrefix("the server answered 401: ") == true)
    #expect(error?.description.hasSuffix("Join the server again: scan its QR code") == true)
    #expect(forgotten.items == [true])
  }

  @Test func joiningSaysWhatTheServerSays() async throws {
    let client = LabClient(
      transport: ScriptedTransport { _, _ in
        HTTPAnswer(403, #"{"detail": "two\nlines", "status": 403}"#)
      }, token: nil)
    let error = await thrownError { try await client.join(code: "x", deviceName: "y") }
    #expect(error?.description == "the server answered 403: two lines")
  }

  @Test func anAnswerThatDripsForMoreThanAMinuteIsAskedForLater() async throws {
    let clock = FakeClock()
    let transport = ScriptedTransport { _, _ in
      HTTPAnswer(
        status: 200, headers: [:],
        body: AsyncThrowingStream(unfolding: {
          clock.advance(20_000_000_000)
          return Data(" ".utf8)
        }))
    }
    let client = LabClient(transport: transport, token: "a-token", clock: clock.monotonic)
    #expect(await Self.word { _ = try await client.fetchBundles() } == "retry")
    let error = await thrownError { try await client.listBundles() }
    #expect(error?.description == "the server's answer takes longer than a minute. Try again later")
  }

  @Test func aServerThatIsGoneIsAskedAgainLater() async throws {
    let transport = ScriptedTransport { _, _ in throw MobiError.server("gone") }
    let client = LabClient(transport: transport, token: "a-token")
    #expect(await Self.word { _ = try await client.fetchBundles() } == "retry")
    let failing = ScriptedTransport { _, _ in
      HTTPAnswer(
        status: 200, headers: [:],
        body: AsyncThrowingStream { $0.finish(throwing: MobiError.server("broke off")) })
    }
    let other = LabClient(transport: failing, token: "a-token")
    #expect(await Self.word { _ = try await other.fetchBundles() } == "retry")
  }
}
