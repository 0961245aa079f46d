// The forms of JSON, byte for byte: scripts may compare them.

import EdgeFleet
import Testing

@Suite struct JSONFormTests {
  private struct Sample: Encodable {
    let zeta = 1
    let alpha = "/a"
    let none: Int? = nil
  }

  @Test(
    "Keys are in order, slashes are escaped in the statistics only",
    arguments: [
      (JSONForm.line, #"{"alpha":"/a","zeta":1}"#),
      (.page, "{\n  \"alpha\" : \"/a\",\n  \"zeta\" : 1\n}"),
      (.escapedPage, "{\n  \"alpha\" : \"\\/a\",\n  \"zeta\" : 1\n}"),
    ])
  func form(_ form: JSONForm, text: String) {
    #expect(form.text(Sample()) == text)
    #expect(form.bytes(Sample()) == Array(text.utf8))
  }
}
