import MobiRuntime
import Testing

@testable import MobiBench

/// A server is joined after a yes, with the fingerprint that was shown.
@Suite struct JoinRequestTests {
  private static let fingerprint = String(repeating: "0f", count: 32)

  @Test func aLinkBringsItsCode() throws {
    let link = try JoinLink(
      "mobisdk://join?v=1&address=lab.local:8443&sha256=\(Self.fingerprint)&code=Zq3-x_9Kd2LmPw7T")
    let request = JoinRequest.link(link)
    #expect(!request.needsCode)
    #expect(request.host == "lab.local" && request.port == 8443 && request.fingerprint == Self.fingerprint)
    #expect(try request.confirmed(code: "something else") == link)
  }

  @Test(arguments: ["192.168.1.20", "fd00::20"])
  func aDiscoveredServerNeedsTheCodeFromTheScreen(host: String) throws {
    let request = JoinRequest.discovered(name: "lab", host: host, port: 8443, fingerprint: Self.fingerprint)
    #expect(request.needsCode)
    let link = try request.confirmed(code: " Zq3-x_9K d2LmPw7T\n")
    #expect(link.host == host && link.port == 8443)
    #expect(link.fingerprint == Self.fingerprint && link.code == "Zq3-x_9Kd2LmPw7T")
  }

  @Test func whatBonjourAnnouncesIsCheckedLikeALink() {
    for (host, fingerprint, code) in [
      ("lab.local/../x", Self.fingerprint, "Zq3-x_9Kd2LmPw7T"), ("10.0.0.7", "0f0f", "Zq3-x_9Kd2LmPw7T"),
      ("10.0.0.7", Self.fingerprint, "short"), ("10.0.0.7", Self.fingerprint, "Zq3-x_9Kd2LmPw7T&v=2"),
    ] {
      let request = JoinRequest.discovered(name: "lab", host: host, port: 8443, fingerprint: fingerprint)
      #expect(throws: MobiError.self) { try request.confirmed(code: code) }
    }
  }

  @Test func theFingerprintIsReadInGroupsOfFour() {
    let request = JoinRequest.discovered(
      name: "lab", host: "10.0.0.7", port: 8443, fingerprint: "00112233445566778899aabbccddeeff" + "01")
    #expect(request.readableFingerprint == "0011 2233 4455 6677 8899 aabb ccdd eeff 01")
  }
}
