// Fields that a purge may have and that are not known. Each plug-in has names of its own for what it purges:
// `Clear-Cache`, `X-Domain`, `X-Varnish-Key`. To leave one out is to purge less than was meant, and to say so to nobody;
// to refuse one that says nothing of the kind is seen at once, by who sent it, and names the field.
//
// So the rule is another for names that begin with `X-`, which anybody makes up, than for the rest, which standards and
// well-known products have: of the first, those pass that clients, proxies and tracers are known to send; of the
// others, those are refused that have a word in them which tells of a scope.

/// Which fields that are not understood a purge may have.
enum PurgeFieldNames {
  /// True if a field, in lower case, may say what to purge, or how: by its name, whoever made it up.
  static func mayNameScope(_ name: String) -> Bool {
    if harmless.contains(name) || harmlessBeginnings.contains(where: name.hasPrefix) {
      return false
    }
    if name.hasPrefix("x-") { return true }
    if telling.contains(name) { return true }
    let words = name.split { $0 == "-" || $0 == "_" }
    if words.contains(where: isTelling) { return true }
    // A cache's own words, but for what requests and responses say to caches.
    if words.contains("cache"), !name.hasSuffix("cache-control"), name != "cache-status" {
      return true
    }
    return words.contains("surrogate") && words.contains { $0 == "key" || $0 == "keys" }
  }

  /// Names that are sent with any request: of clients, by proxies in front, and to follow it.
  private static let harmless: Set<String> = [
    "if-match", "if-none-match",
    // Who asks.
    "x-api-key", "x-api-token", "x-access-token", "x-auth-token", "x-auth-key", "x-auth-user",
    "x-csrf-token", "x-csrftoken", "x-xsrf-token", "x-wp-nonce", "x-requested-with", "x-dnt",
    "x-do-not-track", "x-user-agent", "x-client-data", "x-client-version",
    // By way of whom.
    "x-forwarded", "x-real-ip", "x-real-port", "x-real-proto", "x-real-host", "x-client-ip",
    "x-client-port", "x-cluster-client-ip", "x-remote-ip", "x-remote-addr", "x-remote-port",
    "x-remote-user", "x-originating-ip", "x-true-client-ip", "x-nginx-proxy", "x-proxy-user-ip",
    "x-lb", "x-scheme", "x-proto", "x-https", "x-ssl", "x-url-scheme", "x-original-url",
    "x-original-uri", "x-original-path", "x-original-host", "x-original-forwarded-for",
    "x-original-proto", "x-original-method", "x-rewrite-url", "x-varnish", "x-timer", "x-arr-ssl",
    "x-arr-log-id", "x-country", "x-country-code",
    // To follow it.
    "x-request-id", "x-requestid", "x-request-start", "x-request-time", "x-request-trace",
    "x-correlation-id", "x-correlationid", "x-trace-id", "x-traceid", "x-span-id",
    "x-transaction-id", "x-cloud-trace-context", "x-client-trace-id", "x-scope-orgid",
    "x-queue-start",
  ]

  private static let harmlessBeginnings = [
    "x-forwarded-", "sec-", "x-envoy-", "x-waws-", "x-b3-", "x-amzn-", "x-amz-", "x-datadog-",
    "x-ot-", "x-newrelic-", "x-dynatrace", "x-instana-", "x-ms-", "x-azure-", "x-appengine-",
    "x-goog-", "x-google-", "x-akamai-", "x-ssl-", "x-vcap-", "x-cf-", "x-geo-", "x-geoip-",
    "x-auth-request-", "x-client-cert", "x-middleton-",
  ]

  /// Names without such a word that do.
  private static let telling: Set<String> = ["key", "keys"]

  private static let words: Set<String> = [
    "tag", "tags", "url", "urls", "uri", "uris", "path", "paths", "pattern", "patterns", "prefix",
    "regex", "regexp", "wildcard", "glob", "match", "scope", "pool", "group", "groups", "refresh",
    "invalidate", "invalidation", "flush", "evict", "expire", "recursive", "ban", "bans", "banlist",
    "hashtwo", "clear", "domain", "domains", "site", "sites", "hosts", "ykey",
  ]

  private static func isTelling(_ word: Substring) -> Bool {
    words.contains(String(word)) || word.contains("purge") || word.hasPrefix("xkey")
      || word.hasPrefix("invalidat")
  }
}
