import Testing

@testable import EdgeCache

/// Names that build tools give to files, and names that people give.
@Suite struct HashedURLTests {
  static let hashed = [
    // Hexadecimal: webpack, Rails, Laravel Mix, Django, Parcel, Create React App.
    "/assets/app-abc123.js", "main.3f2a9c1b.css", "/static/js/main.3f2a9c1b.js",
    "/static/js/2.8cb4d3b1.chunk.js", "/static/css/main.a617e044.chunk.css",
    "/static/media/logo.5d5d9eefa31e5e13a6610d9fa7a283bb.svg", "/js/app.0b4f2a1c.js",
    "/js/chunk-vendors.e3f1a2b4.js", "/css/app.8d2c9a7e.css", "/img/logo.82b9c7a5.png",
    "/dist/bundle.0a1b2c3d4e5f60718293.js", "/packs/application-6ef7ac4cd5cb0d0e1a2b.js",
    "application-a8f5f167f44f4964e6c998dee827110ca8f5f167f44f4964e6c998dee827110c.css",
    "/assets/application-9c6d2b1f0e8a7c5b4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c.js",
    "/static/base.27e20196a850.css", "/static/admin/js/core.cf103cd04ebf.js",
    "/src.e31bb0bc.js", "/index.78fd5a2b.js.map", "/fonts/inter.4fb1c2d3.woff2",
    "/fonts/roboto-3f2a9c1b.woff", "/fonts/icons.9f8e7d6c.ttf", "/fonts/icons.9f8e7d6c.eot",
    "/img/hero.1a2b3c4d.webp", "/img/hero.1a2b3c4d.avif", "/img/hero-1a2b3c4d.jpg",
    "/img/hero-1a2b3c4d.jpeg", "/video/intro.4d3c2b1a.mp4", "/wasm/core-0f1e2d3c.wasm",
    "/app.d41d8cd98f00b204e9800998ecf8427e.js", "/a/b/c/style.1f2e3d4c5b6a.min.css",
    "/vendor.1f2e3d4c.bundle.js", "/main-es2015.1f2e3d4c5b6a7980.js", "/runtime.a1b2c3.js",
    "/polyfills.F1E2D3C4.js", "/main.3f2a9c1b.css?x=1", "/favicon-5a3b1c9d.ico",
    "/jquery-3.7.1-1f2e3d4c.js", "/app.1f2e3d4c.mjs", "/app.1f2e3d4c.cjs", "/x-0a1b2c.css",
    "/_next/static/chunks/framework-2c79e2a64abdb08b.js",
    "/_next/static/chunks/pages/_app-52924524f99094ab.js",
    "/_next/static/chunks/main-f11614d8aa7ee555.js", "/_app/immutable/chunks/index.3c5d2a1b.js",
    "/webpack-runtime-7f0c2d4e9b1a3c5d6e8f.js",
    // base64url and base62: Vite, esbuild, Rollup.
    "index-BfX2bXyz.js", "/assets/index-DiwrgTda2k3f9Qx1.css", "/assets/vendor-Bq3xK9zL.js",
    "/assets/index-4sK1gT9a.js", "/assets/Home-C2_xK4-a.js", "/assets/logo-DVbWj3-4.png",
    "/build/_shared/chunk-ABC2D3F4.js", "/build/root-K5Q3ZB7D.js", "/assets/style-x9KdQ2ab.css",
    "/main-PLN7GV2Q.js", "/_astro/index.B4xK2m9Q.css", "/_astro/hoisted.D7x1Kq2z.js",
    "/_nuxt/entry.D3aB9x1Z.js",
  ]

  static let notHashed = [
    // Versions.
    "jquery-3.7.1.min.js", "/jquery-3.7.1.js", "/jquery.min.js", "/jquery-ui-1.13.2.css",
    "/bootstrap-5.3.0.css", "/bootstrap.bundle.min.js", "/react-dom.production.min.js",
    "/vue-2.7.14.js", "/app-1.0.0.js", "/app-v2.js", "/app.v12345678.js", "/lib-10.20.30.js",
    "/angular-1.8.2.js", "/d3.v7.min.js", "/three.r152.js", "/moment-2.29.4-locales.js",
    "/lodash-4.17.21.min.js", "/app-2.0.0-beta1.js", "/app-1.2.3-rc12.js", "/es5-shim.js",
    "/polyfill-es2015.js", "/app-es2022.js", "/core-js-3.js", "/html5shiv.js", "/style-v1a.css",
    // Dates, times, numbers.
    "photo-20240101.jpg", "/photo-2024-01-01.jpg", "/img-20240101-123456.jpg", "/IMG_20240101.jpg",
    "/screenshot-20240101123456.png", "/banner-1704067200.png", "/banner-1704067200000.png",
    "/report-feb2024.jpg", "/report-dec2023.png", "/sale-2024dec.png", "/photo-12345678.jpg",
    "/photo-1234567890.jpg", "/DSC-00012345.jpg", "/item-000123.png", "/page-1.css", "/step-10.png",
    "/photo.20240101.jpg", "/app.20240101.js", "/app-20240101.min.js", "/logo-2024.svg",
    // Sizes and densities.
    "icon-128x128.png", "/icon-1024x1024.png", "/bg-1920x1080.jpg", "/bg-1920x1080@2x.jpg",
    "/thumb-150x150.jpg", "/image-300x200.png", "/image-768x1024.jpg", "/logo@2x.png",
    "/apple-touch-icon-180x180.png", "/favicon-32x32.png", "/mstile-150x150.png",
    "/hero-640w.webp", "/hero-1280w.webp", "/video-1080p.mp4", "/video-720p60.mp4",
    "/clip-2160p60.webm", "/photo-10240x10240.png", "/track-320kbps.mp3",
    // UUIDs and identifiers.
    "/u-123e4567-e89b-12d3-a456-426614174000.png", "/123e4567-e89b-12d3-a456-426614174000.jpg",
    "/avatar-550e8400-e29b-41d4-a716-446655440000.png", "/abc123.png", "/users/3f2a9c1b.png",
    "/3f2a9c1b.js", "/d41d8cd98f00b204e9800998ecf8427e.jpg", "/.3f2a9c1b.js", "/-3f2a9c1b.js",
    // Words, hexadecimal ones too.
    "/app.js", "/main.css", "/style-dark.css", "/font-awesome.css", "/open-sans-regular.woff2",
    "/a-facade.js", "/app-decade.css", "/the-defaced.png", "/site-deadbeef.js", "/my-cafebabe.css",
    "/material-components-web.js", "/main-navigation.js", "/hero-backdrop.jpg", "/app-beaded.js",
    "/component-accordion.css", "/service-worker.js", "/FancyHeaderImage.png", "/my-JavaScript.js",
    "/widget-DatePicker.js", "/icon-ArrowLeft.svg", "/nav-MainMenu.js",
    "/Some-CamelCaseFileName.js",
    "/logo-ProductX.svg", "/team-member1.jpg", "/photo-holiday2.jpg", "/slide-picture3.png",
    "/README-GitHub01.png", "/about-iPhone15.png", "/gallery-summer24.jpg", "/font-Lato700i.woff",
    "/fira-sans-v10-latin-500.woff2", "/roboto-v30-latin-regular.woff2",
    "/level-A1B2.png", "/a-1a.js", "/b-ab12.js", "/x-abc12.js", "/color-ff0000.png",
    "/theme-ff0000.css", "/theme-33ccff.css", "/flight-ba2490.jpg", "/shoe-ab1234.webp",
    // Hashes that look too much like something else: a wrong no costs a validation.
    "/_next/static/css/ab44ce7add5c3d11.css", "/chunk-2TUXWMP5.js", "/styles-5INURTSO.css",
    "/x-0a1b2c.gif", "/app-12345678.js", "/app-facade12.js",
    // Other files, and no file.
    "/report-3f2a9c1b.pdf", "/data-3f2a9c1b.json", "/page-3f2a9c1b.html", "/main-3f2a9c1b",
    "/app-abc123.php", "/app-abc123.js/", "/", "", "/app-abc123/index.html", "/feed-3f2a9c1b.xml",
    "/?f=app-abc123.js", "/search?q=main.3f2a9c1b.css", "/archive-3f2a9c1b.zip", "/.js", "/-.js",
    "/a-.js", "/sw.js?v=3f2a9c1b",
  ]

  private func matches(_ path: String) -> Bool {
    HashedURL.matches(Array(path.utf8).span)
  }

  @Test(arguments: hashed) func yes(_ path: String) {
    #expect(matches(path))
  }

  @Test(arguments: notHashed) func no(_ path: String) {
    #expect(!matches(path))
  }

  /// Any bytes are a path that is judged without a trap.
  @Test func anyBytes() {
    var random = SeededRandom(seed: 3)
    let parts: [[UInt8]] = ["/", ".", "-", "js", "css", "min", "?", "a1b2c3d4", "\u{0}", "Z", "9"]
      .map { Array($0.utf8) }
    for _ in 0..<5000 {
      let path = (0..<random.below(12)).flatMap { _ in random.pick(parts) }
      _ = HashedURL.matches(path.span)
    }
  }
}
