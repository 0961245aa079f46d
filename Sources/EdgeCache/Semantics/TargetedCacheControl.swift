import RawStructuredFieldValues

// Which field decides how a response is cached (RFC 9213 §2.2): the first targeted field that is
// valid, else `Surrogate-Control` where a site wants it, else `Cache-Control` and `Expires`.
//
// A targeted field is a Structured Field and is read as strictly as one: any error in form or type
// makes it count as absent, so that two caches never read it differently (§2.1).

/// The field that decided how a response is cached.
public enum ControlField: UInt8, Sendable, Hashable {
  case cacheControl, cdnCacheControl, fleet, surrogateControl

  /// The name of the field, for people.
  public var name: String {
    switch self {
    case .cacheControl: "Cache-Control"
    case .cdnCacheControl: "CDN-Cache-Control"
    case .fleet: "the fleet's own field"
    case .surrogateControl: "Surrogate-Control"
    }
  }
}

/// The directives that apply to a response, and where they come from.
public struct ResponseDirectives: Sendable, Hashable {
  /// The directives.
  public var control: CacheControl
  /// The field that they are from.
  public var field: ControlField
  /// Names in lower case of fields that must not be kept (RFC 9111 §5.2.2.4, §5.2.2.7).
  public var withheld: [[UInt8]] = []

  /// True if `Expires` counts: a targeted field replaces it (RFC 9213 §2.2).
  public var usesExpires: Bool { field == .cacheControl }

  /// The directives of a response. O(bytes of the fields).
  public init(_ fields: FieldSection, policy: SitePolicy) {
    for name in policy.targetedFields {
      guard let value = StructuredFields.joined(fields, name: name.span),
        let targeted = TargetedCacheControl(value)
      else { continue }
      let isCommon = name.span.equalsIgnoringCase("cdn-cache-control")
      self.init(targeted.control, isCommon ? .cdnCacheControl : .fleet, targeted.withheld)
      return
    }
    if policy.usesSurrogateControl, fields.contains(.surrogateControl) {
      self.init(SurrogateControl.read(fields), .surrogateControl, [])
      return
    }
    let control = CacheControl(fields)
    self.init(
      control, .cacheControl, control.isQualified ? CacheControl.qualifiedNames(fields) : [])
  }

  private init(_ control: CacheControl, _ field: ControlField, _ withheld: [[UInt8]]) {
    self.control = control
    self.field = field
    self.withheld = withheld
  }

  /// Names of fields that are for this cache alone and go to nobody.
  static func strippedNames(_ policy: SitePolicy) -> [[UInt8]] {
    policy.usesSurrogateControl ? [Array("surrogate-control".utf8)] : []
  }
}

/// One targeted field (RFC 9213 §2.1).
struct TargetedCacheControl {
  private(set) var control = CacheControl()
  private(set) var withheld: [[UInt8]] = []

  /// Reads a dictionary; nil if it is empty, not one, or a directive has the wrong type.
  init?(_ value: [UInt8]) {
    var parser = StructuredFieldValueParser(value)
    guard let dictionary = try? parser.parseDictionaryFieldValue(), dictionary.count > 0 else {
      return nil
    }
    for (key, member) in dictionary {
      // Parameters of a directive are ignored (§2.1).
      guard case .item(let item) = member else {
        if Self.isKnown(key) { return nil }
        continue
      }
      guard add(key, item.rfc9651BareItem) else { return nil }
    }
  }

  private static func isKnown(_ key: String) -> Bool {
    flag(key) != nil || seconds(key) != nil || key == "no-cache" || key == "private"
  }

  /// Takes a directive in; false if its value is of the wrong type.
  private mutating func add(_ key: String, _ value: RFC9651BareItem) -> Bool {
    if let path = Self.seconds(key) {
      guard case .integer(let number) = value, number >= 0 else { return false }
      control[keyPath: path] = min(number, CacheControl.maximumSeconds)
      return true
    }
    if let path = Self.flag(key) {
      guard case .bool(let isSet) = value else { return false }
      control[keyPath: path] = isSet
      return true
    }
    guard key == "no-cache" || key == "private" else { return true }
    switch value {
    case .bool(let isSet): set(key, isSet)
    case .string(let text):
      let bytes = Array(text.utf8)
      if let names = CacheControl.fieldNames(bytes.span, 0..<bytes.count) {
        control.isQualified = true
        withheld += names
      } else {
        set(key, true)
      }
    default: return false
    }
    return true
  }

  private mutating func set(_ key: String, _ isSet: Bool) {
    if key == "no-cache" { control.noCache = isSet } else { control.isPrivate = isSet }
  }

  private static func seconds(_ key: String) -> WritableKeyPath<CacheControl, Int64?>? {
    switch key {
    case "max-age": \.maxAge
    case "s-maxage": \.sMaxAge
    case "stale-while-revalidate": \.staleWhileRevalidate
    case "stale-if-error": \.staleIfError
    default: nil
    }
  }

  private static func flag(_ key: String) -> WritableKeyPath<CacheControl, Bool>? {
    switch key {
    case "no-store": \.noStore
    case "public": \.isPublic
    case "must-revalidate": \.mustRevalidate
    case "proxy-revalidate": \.proxyRevalidate
    case "must-understand": \.mustUnderstand
    case "no-transform": \.noTransform
    case "immutable": \.immutable
    default: nil
    }
  }
}

/// `Surrogate-Control` (Edge Architecture Specification 1.0): `max-age=3600+600` is fresh for an
/// hour and may be used stale for ten minutes more while it is validated.
enum SurrogateControl {
  static func read(_ fields: FieldSection) -> CacheControl {
    var control = CacheControl()
    fields.forEachElement(of: .surrogateControl) { span, element in
      // A parameter behind `;` names the surrogate that is meant; none is called as we are.
      if span.firstIndex(of: ASCII.semicolon, in: element) != nil { return true }
      let equals = span.firstIndex(of: ASCII.equals, in: element)
      let name = span.extracting(element.lowerBound..<(equals ?? element.upperBound))
      if name.equalsIgnoringCase("no-store") { control.noStore = true }
      if name.equalsIgnoringCase("max-age"), let equals, control.maxAge == nil {
        let value = (equals + 1)..<element.upperBound
        let plus = span.firstIndex(of: UInt8(ascii: "+"), in: value)
        control.maxAge =
          CacheControl.deltaSeconds(span, value.lowerBound..<(plus ?? value.upperBound)) ?? 0
        if let plus {
          let extra = CacheControl.deltaSeconds(span, (plus + 1)..<value.upperBound)
          control.staleWhileRevalidate = extra
          control.staleIfError = extra
        }
      }
      return true
    }
    return control
  }
}
