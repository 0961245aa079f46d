// Receipts: what a PoP says of a purge, signed with a key that is made of the admin token and the PoP's id. Who
// holds the token can check later which PoP applied what, and when, without asking it again.

import CCrypto

/// The key that the receipts of one PoP are made with.
public struct PurgeReceiptKey: Sendable {
  private let key: [UInt8]

  /// The key of the PoP with that id, for those who hold `token`.
  public init(token: AdminToken, pop: String) {
    key = Self.authenticate(Array("edgecache purge receipts of \(pop)".utf8), key: token.bytes)
  }

  /// The receipt for an acknowledgement of a purge in whose words `order` is: HMAC-SHA-256 of id and number,
  /// time, PoP and the SHA-256 of the order, in hexadecimal.
  public func receipt(for acknowledgement: PurgeAcknowledgement, order: [UInt8]) -> String {
    let lines = [
      "edgecache-purge-receipt-1", acknowledgement.pop, acknowledgement.id ?? "",
      "\(acknowledgement.sequence)", "\(acknowledgement.appliedAt ?? 0)",
      Self.hex(Self.digest(order)),
    ]
    let text = lines.map { $0 + "\n" }.joined()
    return Self.hex(Self.authenticate(Array(text.utf8), key: key))
  }

  /// Whether the receipt in an acknowledgement is that for what it says.
  public func verifies(_ acknowledgement: PurgeAcknowledgement, order: [UInt8]) -> Bool {
    guard let claimed = acknowledgement.receipt else { return false }
    let right = Array(receipt(for: acknowledgement, order: order).utf8)
    let other = Array(claimed.utf8)
    guard other.count == right.count else { return false }
    return zip(other, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
  }

  private static func authenticate(_ bytes: [UInt8], key: [UInt8]) -> [UInt8] {
    var code = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
    var count = UInt32(code.count)
    HMAC(EVP_sha256(), key, Int32(key.count), bytes, bytes.count, &code, &count)
    return code
  }

  private static func digest(_ bytes: [UInt8]) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
    SHA256(bytes, bytes.count, &digest)
    return digest
  }

  private static func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
  }
}
