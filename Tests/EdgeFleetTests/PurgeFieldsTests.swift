// What a request means that orders a purge by method, path and fields: each row as a plug-in sends it.

import EdgeCache
import Testing

@testable import EdgeFleet

@Suite struct PurgeFieldsTests {
  /// `METHOD PATH`, and below it fields.
  private static func read(_ text: String) throws -> PurgeRequest {
    let lines = text.split(separator: "↵", omittingEmptySubsequences: false)
    let words = lines[0].split(separator: " ", maxSplits: 1)
    let fields = lines.dropFirst().map { line in
      let colon = line.firstIndex(of: ":") ?? line.endIndex
      return (String(line[..<colon]), String(line[colon...].dropFirst()))
    }
    return try PurgeFields.read(
      String(words[0]), .init(authority: "a.example", path: String(words[1])), fields)
  }

  /// The message of a purge, without what is the same in all.
  private static func told(_ request: PurgeRequest) -> String {
    String(decoding: request.message, as: UTF8.self).replacing("http://a.example", with: "")
  }

  private static let xkey = "PURGE /↵xkey: /books/1 /books/2"

  private static let understoodRows: [(String, String)] = [
    // By the path.
    ("PURGE /", #"{"scope":"url","urls":["/"]}"#),
    ("PURGE /a?b=1", #"{"scope":"url","urls":["/a?b=1"]}"#),
    ("PURGE /wiki/Foo_(bar)", #"{"scope":"url","urls":["/wiki/Foo_(bar)"]}"#),
    (
      "PURGE /wiki/Foo_(bar)?action=edit",
      #"{"scope":"url","urls":["/wiki/Foo_(bar)?action=edit"]}"#
    ),
    ("PURGE /wiki/Foo_%28bar%29", #"{"scope":"url","urls":["/wiki/Foo_%28bar%29"]}"#),
    ("PURGE /c++/a.b", #"{"scope":"url","urls":["/c++/a.b"]}"#),
    ("PURGE /?a[]=1&b=(x)|y^z", #"{"scope":"url","urls":["/?a[]=1&b=(x)|y^z"]}"#),
    ("PURGE /css?family=A|B+C:4,7", #"{"scope":"url","urls":["/css?family=A|B+C:4,7"]}"#),
    ("PURGE /a?", #"{"scope":"url","urls":["/a?"]}"#),
    ("PURGE /a/$b/{c}/~d", #"{"scope":"url","urls":["/a/$b/{c}/~d"]}"#),
    ("PURGE /post/.+↵X-Purge-Method: exact", #"{"scope":"url","urls":["/post/.+"]}"#),
    ("PURGE /wiki/Foo_(bar)/*", #"{"prefixes":["/wiki/Foo_(bar)/"],"scope":"prefix"}"#),
    ("PURGE /a/(.*)↵X-Purge-Method: regex", #"{"prefixes":["/a/"],"scope":"prefix"}"#),
    ("PURGE ^/a/(.*)$↵X-Purge-Method: regex", #"{"prefixes":["/a/"],"scope":"prefix"}"#),
    ("PURGE /img/*", #"{"prefixes":["/img/"],"scope":"prefix"}"#),
    ("PURGE /img*", #"{"prefixes":["/img"],"scope":"prefix"}"#),
    ("PURGE /*", #"{"prefixes":["/"],"scope":"prefix"}"#),
    ("PURGE /.*", #"{"prefixes":["/"],"scope":"prefix"}"#),
    ("PURGE /img/.*", #"{"prefixes":["/img/"],"scope":"prefix"}"#),
    ("PURGE /x?page=*", #"{"prefixes":["/x?page="],"scope":"prefix"}"#),
    ("PURGE /.*↵X-Purge-Method: regex", #"{"prefixes":["/"],"scope":"prefix"}"#),
    ("PURGE /img/.*↵X-Purge-Method: REGEX", #"{"prefixes":["/img/"],"scope":"prefix"}"#),
    ("PURGE /img/.*$↵x-purge-method: Regex", #"{"prefixes":["/img/"],"scope":"prefix"}"#),
    ("PURGE /img/a↵X-Purge-Method:  Exact ", #"{"scope":"url","urls":["/img/a"]}"#),
    ("PURGE /a/$↵X-Purge-Method: regex", #"{"scope":"url","urls":["/a/"]}"#),
    ("PURGE /a↵X-Purge-Method: regex", #"{"prefixes":["/a"],"scope":"prefix"}"#),
    ("PURGE /a↵X-Purge-Method: exact↵X-Purge-Method: EXACT", #"{"scope":"url","urls":["/a"]}"#),
    ("PURGE /a↵X-Purge-Method: default", #"{"prefixes":["/a?"],"urls":["/a"]}"#),
    ("PURGE /a?b↵X-Purge-Method: Default", #"{"prefixes":["/a?"],"urls":["/a"]}"#),
    // By tags.
    ("PURGE /↵Surrogate-Key: a b", #"{"scope":"tag","tags":["a","b"]}"#),
    ("PURGE /↵surrogate-key: a, b,c", #"{"scope":"tag","tags":["a","b","c"]}"#),
    ("PURGE /↵Surrogate-Key: a↵Surrogate-Key: b", #"{"scope":"tag","tags":["a","b"]}"#),
    ("PURGE /↵Cache-Tag: a,b", #"{"scope":"tag","tags":["a","b"]}"#),
    ("PURGE /↵Cache-Tag: a, b c", #"{"scope":"tag","tags":["a","b","c"]}"#),
    ("PURGE /↵Cache-Tags: node:1 node_list", #"{"scope":"tag","tags":["node:1","node_list"]}"#),
    (xkey, #"{"scope":"tag","tags":["\/books\/1","\/books\/2"]}"#.replacing("\\", with: "")),
    ("PURGE /↵xkey-purge: a", #"{"scope":"tag","tags":["a"]}"#),
    ("PURGE /↵XKEY: Ä A a", #"{"scope":"tag","tags":["Ä","A","a"]}"#),
    ("PURGEKEYS /↵xkey-purge: a b", #"{"scope":"tag","tags":["a","b"]}"#),
    ("PURGEKEYS /x↵xkey: a", #"{"scope":"tag","tags":["a"]}"#),
    // Softly.
    ("PURGE /a↵Fastly-Soft-Purge: 1", #"{"mode":"soft","scope":"url","urls":["/a"]}"#),
    ("PURGE /a↵Fastly-Soft-Purge: 0", #"{"scope":"url","urls":["/a"]}"#),
    (
      "PURGE /↵Surrogate-Key: a↵Fastly-Soft-Purge:1",
      #"{"mode":"soft","scope":"tag","tags":["a"]}"#
    ),
    ("PURGE /↵xkey-softpurge: a", #"{"mode":"soft","scope":"tag","tags":["a"]}"#),
    ("PURGEKEYS /↵xkey-softpurge: a", #"{"mode":"soft","scope":"tag","tags":["a"]}"#),
    ("PURGE /↵xkey-softpurge: a↵xkey-purge: b", #"{"scope":"tag","tags":["a","b"]}"#),
    ("PURGE /↵xkey-softpurge: a↵xkey: b", #"{"scope":"tag","tags":["a","b"]}"#),
    ("PURGE /↵xkey-purge: a↵Fastly-Soft-Purge: 1", #"{"scope":"tag","tags":["a"]}"#),
    // Magento.
    ("PURGE /↵X-Magento-Tags-Pattern: .*", #"{"scope":"everything"}"#),
    ("PURGE /↵X-Magento-Tags-Pattern: ^.*$", #"{"scope":"everything"}"#),
    (
      "PURGE /↵X-Magento-Tags-Pattern: ((^|,)cat_p_1(,|$))|((^|,)cat_c_3(,|$))",
      #"{"scope":"tag","tags":["cat_p_1","cat_c_3"]}"#
    ),
    (
      "PURGE /↵X-Magento-Tags-Pattern: (^|,)(cat_p_1|cat_p_2)(,|$)",
      #"{"scope":"tag","tags":["cat_p_1","cat_p_2"]}"#
    ),
    (
      "PURGE /↵X-Magento-Tags-Pattern: cat_p_(1|2)|store",
      #"{"scope":"tag","tags":["cat_p_1","cat_p_2","store"]}"#
    ),
    (
      #"PURGE /↵X-Magento-Tags-Pattern: (^|\s)a\.b(\s|$)"#, #"{"scope":"tag","tags":["a.b"]}"#
    ),
    ("PURGE /↵X-Magento-Tags-Pattern: a|.*", #"{"scope":"everything"}"#),
    // Drupal.
    ("PURGE /↵Cache-Tags: a:1|b:2", #"{"scope":"tag","tags":["a:1|b:2","a:1","b:2"]}"#),
    ("PURGE /↵Cache-Tags: .*", #"{"scope":"everything"}"#),
    // Expressions, wildcards and quotes in any field of tags.
    ("PURGE /↵Cache-Tags: *", #"{"scope":"everything"}"#),
    ("PURGE /↵Cache-Tags: ^.*$", #"{"scope":"everything"}"#),
    ("PURGE /↵Cache-Tag: *", #"{"scope":"everything"}"#),
    ("PURGE /↵xkey: a *", #"{"scope":"everything"}"#),
    ("PURGE /↵xkey: .*", #"{"scope":"everything"}"#),
    ("PURGE /↵xkey-purge: *", #"{"scope":"everything"}"#),
    ("PURGE /↵Surrogate-Key: \"*\"", #"{"scope":"everything"}"#),
    ("PURGE /↵Surrogate-Key: t1|t2", #"{"scope":"tag","tags":["t1|t2","t1","t2"]}"#),
    ("PURGE /↵xkey: (t1|t2)", #"{"scope":"tag","tags":["t1","t2","(t1|t2)"]}"#),
    ("PURGE /↵xkey: ^t1$", #"{"scope":"tag","tags":["t1","^t1$"]}"#),
    ("PURGE /↵xkey: \"t1\"", #"{"scope":"tag","tags":["\"t1\"","t1"]}"#),
    (
      "PURGE /↵Cache-Tag: \"a b\", \"c\"",
      #"{"scope":"tag","tags":["\"a","b\"","\"c\"","a","b","c","a b"]}"#
    ),
    ("PURGE /↵xkey: /books?a[b]=1", #"{"scope":"tag","tags":["/books?a[b]=1"]}"#),
    (#"PURGE /↵xkey: App\Entity\Book"#, #"{"scope":"tag","tags":["App\\Entity\\Book"]}"#),
    (
      "PURGE /↵X-LiteSpeed-Purge: tag=public:L1",
      #"{"scope":"tag","tags":["public:L1","L1"]}"#
    ),
    ("PURGE /↵X-LiteSpeed-Purge: tag=\"*\"", #"{"scope":"everything"}"#),
    // Symfony, eZ Platform, Varnish Enterprise.
    ("PURGE /↵Clear-Cache: true", #"{"scope":"everything"}"#),
    ("PURGE /↵X-Clear-Cache: 1", #"{"scope":"everything"}"#),
    ("PURGE /↵key: t1 t2", #"{"tags":["t1","t2"],"urls":["/"]}"#),
    ("PURGE /↵Ykey: t1, t2", #"{"scope":"tag","tags":["t1","t2"]}"#),
    // LiteSpeed.
    ("PURGE /↵X-LiteSpeed-Purge: *", #"{"scope":"everything"}"#),
    ("PURGE /↵X-LiteSpeed-Purge: public, *", #"{"scope":"everything"}"#),
    ("PURGE /↵X-LiteSpeed-Purge: tag=a, tag=b", #"{"scope":"tag","tags":["a","b"]}"#),
    ("PURGE /↵X-LiteSpeed-Purge: public,tag=a,tag=b", #"{"scope":"tag","tags":["a","b"]}"#),
    ("PURGE /↵X-LiteSpeed-Purge: tag=a;private,tag=b", #"{"scope":"tag","tags":["a","b"]}"#),
    ("PURGE /↵X-LiteSpeed-Purge: /a, /b?c", #"{"scope":"url","urls":["/a","/b?c"]}"#),
    ("PURGE /↵X-LiteSpeed-Purge: /a/*", #"{"prefixes":["/a/"],"scope":"prefix"}"#),
    ("PURGE /↵X-LiteSpeed-Purge: /a, tag=t", #"{"tags":["t"],"urls":["/a"]}"#),
    (
      "PURGE /↵X-LiteSpeed-Purge: stale, tag=a", #"{"mode":"soft","scope":"tag","tags":["a"]}"#
    ),
    ("PURGE /↵X-LiteSpeed-Purge: stale,tag=a; tag=b", #"{"scope":"tag","tags":["a","b"]}"#),
    // Two scopes: both.
    ("PURGE /↵Surrogate-Key: a↵xkey: b", #"{"scope":"tag","tags":["a","b"]}"#),
    ("PURGE /p↵Surrogate-Key: a", #"{"tags":["a"],"urls":["/p"]}"#),
    ("PURGE /p/*↵Surrogate-Key: a", #"{"prefixes":["/p/"],"tags":["a"]}"#),
    (
      "PURGE /p/.*↵X-Purge-Method: regex↵Cache-Tag: a", #"{"prefixes":["/p/"],"tags":["a"]}"#
    ),
    ("PURGE /↵X-Purge-Method: exact↵xkey: a", #"{"tags":["a"],"urls":["/"]}"#),
    ("PURGE /p↵X-LiteSpeed-Purge: *", #"{"scope":"everything"}"#),
    // What has nothing to do with purges.
    (
      "PURGE /a↵User-Agent: WordPress/6.5↵Accept: */*↵Accept-Encoding: deflate↵Connection: close"
        + "↵X-Forwarded-Prefix: /x↵If-None-Match: a↵Cookie: a=b↵Sec-Fetch-Mode: cors"
        + "↵traceparent: 00↵X-Request-ID: 1↵X-B3-TraceId: 1↵X-Amzn-Trace-Id: 1↵X-Real-IP: 1"
        + "↵X-Varnish: 1↵CDN-Loop: a↵Via: 1.1 a↵Forwarded: for=a↵DNT: 1↵Date: x↵TE: trailers"
        + "↵CDN-Cache-Control: no-cache↵Accept-Language: de↵X-Nginx-Proxy: true↵Pragma: no-cache"
        + "↵Fastly-Key: k↵X-Api-Key: k↵Cache-Control: no-cache↵X-Original-URL: /y↵ETag: x",
      #"{"scope":"url","urls":["/a"]}"#
    ),
  ]

  @Test("What a request names is what is purged", arguments: understoodRows)
  func understood(_ text: String, _ expected: String) throws {
    let request = try Self.read(text)
    #expect(Self.told(request) == expected)
    #expect(try PurgeRequest(json: request.message).message == request.message)
  }

  private static let widenedRows: [(String, String)] = [
    ("PURGE /a/*/b", #"{"prefixes":["/a/"],"scope":"prefix"}"#),
    ("PURGE /a*b", #"{"prefixes":["/a"],"scope":"prefix"}"#),
    ("PURGE /.*projects.*", #"{"prefixes":["/"],"scope":"prefix"}"#),
    (#"PURGE /a/.*\.jpg↵X-Purge-Method: regex"#, #"{"prefixes":["/a/"],"scope":"prefix"}"#),
    ("PURGE /v1.2/.*↵X-Purge-Method: regex", #"{"prefixes":["/v1"],"scope":"prefix"}"#),
    ("PURGE /a/*↵X-Purge-Method: regex", #"{"prefixes":["/a"],"scope":"prefix"}"#),
    ("PURGE /a?b=1.*↵X-Purge-Method: regex", #"{"prefixes":["/"],"scope":"prefix"}"#),
    // Expressions of which nothing says that they are.
    ("PURGE /post/(.*)", #"{"prefixes":["/post/"],"scope":"prefix"}"#),
    ("PURGE /(.*)", #"{"prefixes":["/"],"scope":"prefix"}"#),
    ("PURGE /post/(.*)$", #"{"prefixes":["/post/"],"scope":"prefix"}"#),
    ("PURGE /post/(.*)↵X-Purge-Method: default", #"{"prefixes":["/post/"],"scope":"prefix"}"#),
    ("PURGE /post/(.*)↵X-Purge-Method: exact", #"{"prefixes":["/post/"],"scope":"prefix"}"#),
    ("PURGE /post/(.+)", #"{"prefixes":["/post/"],"scope":"prefix"}"#),
    ("PURGE /%28.*%29", #"{"prefixes":["/"],"scope":"prefix"}"#),
    ("PURGE /a/%28.%2A%29", #"{"prefixes":["/a/"],"scope":"prefix"}"#),
    ("PURGE /%28.*%29↵X-Purge-Method: regex", #"{"prefixes":["/"],"scope":"prefix"}"#),
    ("PURGE /a/(.+)↵X-Purge-Method: regex", #"{"prefixes":["/a/"],"scope":"prefix"}"#),
    ("PURGE /^.*$", #"{"prefixes":["/"],"scope":"prefix"}"#),
    ("PURGE /post/.+", #"{"prefixes":["/post/"],"scope":"prefix"}"#),
    ("PURGE /post.+", #"{"prefixes":["/post"],"scope":"prefix"}"#),
    (#"PURGE /post.+\.html"#, #"{"prefixes":["/post"],"scope":"prefix"}"#),
    ("PURGE /post/?$", #"{"prefixes":["/post"],"scope":"prefix"}"#),
    ("PURGE /post(/.*)?$", #"{"prefixes":["/post"],"scope":"prefix"}"#),
    ("PURGE /post(/feed)?", #"{"prefixes":["/post"],"scope":"prefix"}"#),
    ("PURGE /post/?(.*)", #"{"prefixes":["/post"],"scope":"prefix"}"#),
    ("PURGE /[a-z]+", #"{"prefixes":["/"],"scope":"prefix"}"#),
    ("PURGE /a/[0-9]{2}/", #"{"prefixes":["/a/"],"scope":"prefix"}"#),
    (#"PURGE /a/\d+/b"#, #"{"prefixes":["/a/"],"scope":"prefix"}"#),
    (
      #"PURGE /a\.b/.+"#,
      #"{"prefixes":["/a.b/"],"urls":["/a\\.b/.+"]}"#
    ),
    (
      #"PURGE /index\.php/(.*)"#, #"{"prefixes":["/index.php/"],"scope":"prefix"}"#
    ),
    ("PURGE /index.php/(.*)", #"{"prefixes":["/index"],"scope":"prefix"}"#),
    ("PURGE /(a|b)/", #"{"prefixes":["/"],"scope":"prefix"}"#),
    ("PURGE /a|/b", #"{"prefixes":["/"],"scope":"prefix"}"#),
    ("PURGE /a(x)?[ab]|/b", #"{"prefixes":["/"],"scope":"prefix"}"#),
    ("PURGE /x/(a|b)*", #"{"prefixes":["/x/"],"scope":"prefix"}"#),
    ("PURGE /a(b", #"{"prefixes":["/a"],"scope":"prefix"}"#),
    ("PURGE /a/$", #"{"scope":"url","urls":["/a/$","/a/"]}"#),
    ("PURGE /a/%24", #"{"scope":"url","urls":["/a/%24","/a/"]}"#),
    ("PURGE /x?page=(.*)", #"{"prefixes":["/x?page="],"scope":"prefix"}"#),
    ("PURGE /↵X-LiteSpeed-Purge: /a/(.*)", #"{"prefixes":["/a/"],"scope":"prefix"}"#),
    ("PURGE /↵X-LiteSpeed-Purge: /a/.+", #"{"prefixes":["/a/"],"scope":"prefix"}"#),
    ("PURGE /↵X-LiteSpeed-Purge: private, tag=a", #"{"scope":"tag","tags":["a"]}"#),
    ("PURGE /↵xkey-softpurge: a↵xkey-purge: b", #"{"scope":"tag","tags":["a","b"]}"#),
  ]

  @Test("What is widened is told", arguments: widenedRows)
  func widened(_ text: String, _ expected: String) throws {
    let request = try Self.read(text)
    #expect(Self.told(request) == expected)
    #expect(!request.widened.isEmpty)
  }

  @Test func whatIsCarriedOutAsItIsIsNotCalledWidened() throws {
    for text in [
      "PURGE /a", "PURGE /a/*", "PURGE /.*", "PURGE /a/.*↵X-Purge-Method: regex", Self.xkey,
      "PURGE /a↵X-Purge-Method: default",
    ] {
      #expect(try Self.read(text).widened == [])
    }
  }

  private static let refusedRows: [(Int, String)] = [
    (501, "BAN /"), (501, "BAN /↵X-Url: /a.*↵X-Host: a"), (501, "REFRESH /"), (501, "URIBAN /"),
    (501, "PURGETAGS /↵X-Cache-Tags: a"), (501, "PURGEALL /"), (501, "purge /"), (501, "Ban /"),
    (501, "EE_PURGE /"), (501, "SOFTPURGE /"), (501, "BANURL /"), (501, "INVALIDATE /"),
    (400, "PURGEKEYS /"), (400, "PURGEKEYS /↵X-Purge-Method: regex↵xkey: a"),
    (400, "PURGE /↵X-Purge-Method: wildcard"), (400, "PURGE /↵X-Purge-Method:"),
    (400, "PURGE /↵X-Purge-Method: regex, exact"), (400, "PURGE /↵X-Purge-Method: soft↵xkey: a"),
    (400, "PURGE /a↵X-Purge-Method: exact↵X-Purge-Method: regex"),
    (400, "PURGE /a(b)↵X-Purge-Method: regex"), (400, "PURGE /(a|b)/.*↵X-Purge-Method: regex"),
    (400, "PURGE /a.*|/b.*↵X-Purge-Method: regex"), (400, "PURGE /[ab].*↵X-Purge-Method: regex"),
    (400, "PURGE /↵Surrogate-Key:"), (400, "PURGE /↵xkey: "), (400, "PURGE /↵Cache-Tag: , ,"),
    (400, "PURGE /↵Cache-Tags: "), (400, "PURGE /↵xkey-softpurge:"),
    (400, "PURGE /a↵xkey-purge:"),
    (400, "PURGE /↵X-Magento-Tags-Pattern:"), (400, "PURGE /↵X-Magento-Tags-Pattern: cat_p_.*"),
    (400, "PURGE /↵X-Magento-Tags-Pattern: cat_p_[0-9]"),
    (400, "PURGE /↵X-Magento-Tags-Pattern: (a"), (400, "PURGE /↵X-Magento-Tags-Pattern: a)"),
    (400, "PURGE /↵X-Magento-Tags-Pattern: a|b+"), (400, "PURGE /↵X-Magento-Tags-Pattern: a.b"),
    (400, #"PURGE /↵X-Magento-Tags-Pattern: a\d"#),
    (400, "PURGE /↵X-Magento-Tags-Pattern: (?!a)"),
    (400, "PURGE /↵X-Magento-Tags-Pattern: ((^|,)a.*(,|$))"),
    // Held to one border alone.
    (400, "PURGE /↵X-Magento-Tags-Pattern: (^|,)cat_p"),
    (400, "PURGE /↵X-Magento-Tags-Pattern: cat_p(,|$)"),
    (400, "PURGE /↵X-Magento-Tags-Pattern: ^cat_p"), (400, "PURGE /↵X-Magento-Tags-Pattern: a|"),
    (400, "PURGE /↵X-Magento-Tags-Pattern: |a"),
    (400, "PURGE /↵X-Magento-Tags-Pattern: a|(^|,)"),
    (400, "PURGE /↵X-Magento-Tags-Pattern: ((^|,)a(,|$))|((^|,)b)"),
    (400, #"PURGE /↵Cache-Tags: (^|\s)node:"#), (400, "PURGE /↵xkey: a(,|$|_)"),
    // Wildcards of tags.
    (400, "PURGE /↵Cache-Tags: node:*"), (400, "PURGE /↵xkey: a.*"), (400, "PURGE /↵xkey: a.+"),
    (400, "PURGE /↵Surrogate-Key: a* b"), (400, "PURGE /↵xkey: [a-z]"),
    (400, "PURGE /↵xkey: t[12]+"), (400, #"PURGE /↵xkey: t\d"#), (400, "PURGE /↵ykey: (a"),
    (400, "PURGE /↵X-LiteSpeed-Purge:"), (400, "PURGE /↵X-LiteSpeed-Purge: public"),
    (400, "PURGE /↵X-LiteSpeed-Purge: tag="), (400, "PURGE /↵X-LiteSpeed-Purge: tag=a*"),
    (400, "PURGE /↵X-LiteSpeed-Purge: esi"), (400, "PURGE /↵X-LiteSpeed-Purge: tag=a; stale"),
    (400, "PURGE /↵X-LiteSpeed-Purge2: tag=a"),
    (400, "PURGE /↵Fastly-Soft-Purge: yes"), (400, "PURGE /↵Fastly-Soft-Purge:"),
    (400, "PURGE /↵Fastly-Soft-Purge: 1↵Fastly-Soft-Purge: 0"),
    // Scopes of others.
    (400, "PURGE /↵X-Cache-Tags: a"), (400, "PURGE /↵X-Host: b"), (400, "PURGE /↵X-Url: /b"),
    (400, "PURGE /↵X-Content-Type: text/html"), (400, "PURGE /↵ApiPlatform-Ban-Regex: /books"),
    (400, "PURGE /↵Purge-Cache-Tags: a"), (400, "PURGE /↵X-Purge-Regex: .*"),
    (400, "PURGE /↵X-Ban-Url: /a"), (400, "PURGE /↵X-Acquia-Purge: x"),
    (400, "PURGE /↵X-VC-Purge-Method: regex"), (400, "PURGE /↵X-VC-Purge-Host: a"),
    (400, "PURGE /↵X-Pool: blue"), (400, "PURGE /↵X-Magento-Tags: a"),
    (400, "PURGE /↵X-LiteSpeed-Tag: a"), (400, "PURGE /↵X-HashTwo: a"),
    (400, "PURGE /↵Edge-Cache-Tag: a"), (400, "PURGE /↵X-Drupal-Cache-Tags: a"),
    (400, "PURGE /↵xkey-ban: a"), (400, "PURGE /↵Surrogate-Keys: a"), (400, "PURGE /↵X-Key: a"),
    (400, "PURGE /↵Cache-Keys: a"), (400, "PURGE /↵X-Purge: all"), (400, "PURGE /↵X-Scope: all"),
    (400, "PURGE /↵X-Invalidate-Pattern: a"), (400, "PURGE /↵X-Refresh: 1"),
    (400, "PURGE /↵X-Purge-Soft: 1"), (400, "PURGE /↵Cache-Groups: \"a\""),
    (400, "PURGE /↵xkey: a↵X-Cache-Tags: b"), (400, "PURGE /↵X-Match: a"),
    (400, "PURGE /↵xkey: a\u{FFFD}"),
    (400, "PURGE /↵Clear-Cache: false"), (400, "PURGE /↵Clear-Cache:"), (400, "PURGE /↵key:"),
    (400, "PURGE /↵X-Varnish-Key: a"), (400, "PURGE /↵Cache-Id: a"), (400, "PURGE /↵X-Clear: all"),
    (400, "PURGE /↵X-Domain: a"), (400, "PURGE /↵X-Site: a"), (400, "PURGE /↵X-Anything: a"),
    (400, "PURGE /↵Site-Id: a"), (400, "PURGE /↵Clear: all"), (400, "PURGE /↵Keys: a"),
    (400, "PURGE /↵Cache: all"), (400, "PURGE /↵X-Device: mobile"),
  ]

  @Test("What may mean something else is refused, and nothing purged", arguments: refusedRows)
  func refused(_ status: Int, _ text: String) {
    #expect {
      try Self.read(text)
    } throws: {
      ($0 as? PurgeFields.Refusal)?.status == status
    }
  }

  @Test("A field that a site chose for its tags names them, if it has no case of its own")
  func fieldsOfSites() throws {
    for name in [
      "X-HashTwo", "Cache-Groups", "X-Magento-Tags", "X-LiteSpeed-Tag", "X-Cache-Tags", "My-Tags",
    ] {
      let request = try PurgeFields.read(
        "PURGE", .init(authority: "a", path: "/"), [(name, "t1")], tagFields: [name.lowercased()])
      #expect(request.scopes == [.tags(["t1"])], "\(name)")
    }
    let groups = try PurgeFields.read(
      "PURGE", .init(authority: "a", path: "/"), [("Cache-Groups", "\"a b\"")],
      tagFields: ["cache-groups"])
    #expect(groups.scopes.contains { $0.names.contains("a b") })
    let softly = try PurgeFields.read(
      "PURGE", .init(authority: "a", path: "/"), [("xkey-softpurge", "a")],
      tagFields: ["xkey-softpurge"])
    #expect(softly.mode == .soft)
  }

  @Test func content() {
    #expect(throws: PurgeFields.Refusal.self) {
      try PurgeFields.read("PURGE", .init(authority: "a", path: "/"), [], hasContent: true)
    }
  }

  @Test(
    "Methods that have nothing to do with purges",
    arguments: ["GET", "POST", "DELETE", "BIND", "MKCOL", "REPORT", "UNLOCK", "LINK", "QUERY"])
  func others(_ name: String) { #expect(PurgeFields.Method(name) == nil) }

  @Test(
    "4096 tags are one purge, one more is none, and it takes no time in proportion to their square")
  func many() throws {
    func tags(_ count: Int) -> String { (0..<count).map { "tag-\($0)" }.joined(separator: " ") }
    let request = try Self.read("PURGE /↵Surrogate-Key: \(tags(4096))")
    #expect(request.scopes == [.tags((0..<4096).map { "tag-\($0)" })])
    #expect(throws: PurgeFields.Refusal.self) {
      try Self.read("PURGE /↵Surrogate-Key: \(tags(4097))")
    }
    let alternatives = (0..<4096).map { "((^|,)cat_p_\($0)(,|$))" }.joined(separator: "|")
    let pattern = try Self.read("PURGE /↵X-Magento-Tags-Pattern: \(alternatives)")
    #expect(pattern.scopes == [.tags((0..<4096).map { "cat_p_\($0)" })])
    // What would be too many strings is refused, soon.
    let bomb = String(repeating: "(a|b)", count: 60)
    #expect(throws: PurgeFields.Refusal.self) {
      try Self.read("PURGE /↵X-Magento-Tags-Pattern: \(bomb)")
    }
    let deep = String(repeating: "(", count: 5000)
    #expect(throws: PurgeFields.Refusal.self) {
      try Self.read("PURGE /↵X-Magento-Tags-Pattern: \(deep)")
    }
  }

  @Test("Fields without a target, as the admin API has them")
  func withoutTarget() throws {
    #expect(
      try PurgeFields.read([("Host", "a"), ("Content-Type", "application/json")], content: [])
        == nil)
    #expect(
      try PurgeFields.read([("Surrogate-Key", "a b")], content: [])?.scopes
        == [.tags(["a", "b"])])
    for (name, value) in [
      ("X-Purge-Method", "regex"), ("Fastly-Soft-Purge", "1"), ("X-Cache-Tags", "a"),
      ("X-LiteSpeed-Purge", "/a"), ("Surrogate-Key", ""),
    ] {
      #expect(throws: PurgeFields.Refusal.self) {
        try PurgeFields.read([(name, value)], content: [])
      }
    }
  }
}
