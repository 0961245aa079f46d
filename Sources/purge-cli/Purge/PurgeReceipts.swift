// Receipts in a file: what each PoP said of a purge, signed, to be checked later by whoever has the token.

import EdgeCache
import EdgeFleet
import FoundationEssentials

/// The receipts of one purge.
struct PurgeReceipts: Codable {
  let id: String
  /// What was ordered, as the PoPs had it.
  let order: String
  let pops: [PurgeAcknowledgement]

  init(_ request: PurgeRequest, _ id: PurgeID, _ results: [PurgeFanOut.Result]) {
    self.id = "\(id)"
    order = String(decoding: request.message, as: UTF8.self)
    pops = results.compactMap(\.acknowledgement)
  }

  func write(to path: String) throws {
    do throws(OutputFile.Problem) {
      try OutputFile.write(JSONForm.page.text(self) + "\n", to: path)
    } catch {
      throw WrongUse("the purge was sent, but --receipt: \(error)")
    }
  }

  static func read(_ path: String) throws -> PurgeReceipts {
    do {
      return try JSONDecoder().decode(Self.self, from: Data(try TextFile.bytes(path: path)))
    } catch let error as TextFile.Unreadable {
      throw WrongUse("\(path): \(error.reason)")
    } catch {
      throw WrongUse("\(path): not a file of receipts")
    }
  }
}
