// Content that is coded with a dictionary which the client has from an earlier response (RFC 9842): of use to those
// alone who have that very one.

extension Span<UInt8> {
  /// True for a content coding with a dictionary, with a weight or without.
  func isDictionaryCoding(_ element: Range<Int>) -> Bool {
    let end = firstIndex(of: ASCII.semicolon, in: element) ?? element.upperBound
    let coding = extracting(trimmingWhitespace(element.lowerBound..<end))
    return coding.equalsIgnoringCase("dcb") || coding.equalsIgnoringCase("dcz")
  }
}

extension FieldSection {
  /// True for a response whose content is coded with a dictionary. O(bytes of the names).
  var isDictionaryCoded: Bool {
    let bytes = bytes.readableBytesUInt8Span
    var found = false
    for field in fields where field.nameRange.count == 16 && field.name == .other {
      guard bytes.extracting(field.nameRange.range).equalsIgnoringCase("content-encoding") else {
        continue
      }
      bytes.forEachListElement(field.value.range) { element in
        found = found || bytes.isDictionaryCoding(element)
        return !found
      }
    }
    return found
  }

  /// True if the field line at `index` of a request says which dictionary its client has (RFC 9842 §2.2, §2.3).
  func tellsDictionary(_ index: Int) -> Bool {
    guard fields[index].name == .other else { return false }
    let name = bytes.readableBytesUInt8Span.extracting(fields[index].nameRange.range)
    return name.count == 20 && name.equalsIgnoringCase("available-dictionary")
      || name.count == 13 && name.equalsIgnoringCase("dictionary-id")
  }
}
