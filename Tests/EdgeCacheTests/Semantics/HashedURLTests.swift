import Testing

@testable import EdgeCache

/// Names of files as build tools, frameworks and people write them.
@Suite struct HashedURLTests {
  @Test(arguments: hashed) func namesItsContent(_ path: String) {
    #expect(isHashed(path))
  }

  @Test(arguments: plain) func namesSomethingElse(_ path: String) {
    #expect(!isHashed(path))
  }

  /// A query is no part of the name.
  @Test(arguments: hashed) func queryIsLeftOut(_ path: String) {
    #expect(isHashed(path + "?v=1.2/x.html"))
  }

  @Test(arguments: plain) func queryAddsNothing(_ path: String) {
    #expect(!isHashed(path + "?/app-3f2a9c1b.js"))
  }

  private func isHashed(_ path: String) -> Bool {
    let bytes = Array(path.utf8)
    return HashedURL.matches(bytes.span)
  }

  private static let sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

  static let hashed: [String] = [
    // webpack: name.hash.ext, 8 and 20 hexadecimal digits, and chunks.
    "/main.3f2a9c1b.css", "/static/js/main.4e5b6f7a.js", "/static/css/main.a3b4c5d6.css",
    "/static/js/787.28cb0dcd.chunk.js", "/static/js/2.f9a7c3e1.chunk.js", "/main.3f2a9c1b.js.map",
    "/static/media/logo.6ce24c58023cc2f8fd88fe9d219db6c6.svg", "/js/chunk-vendors.5f1c2d3e.js",
    "/js/app.0e433876.js", "/css/chunk-2d0c0c3f.8a1b2c3d.css", "/img/logo.82b9c7a5.png",
    "/runtime.c3d4e5f60718293a4b5c.js", "/vendors~main.1a2b3c4d.chunk.js",
    "/app.bundle.7d8e9f0a.js",
    "/polyfills.d41d8cd98f00b204e980.bundle.js", "/main.3f2a9c1b.min.js", "/main.3f2a9c1b.css.map",
    // vite and rollup: name-hash.ext, eight of base64url.
    "/assets/app-abc123.js", "/assets/index-BfX2bXyz.js", "/assets/index-4sK8E3Wb.css",
    "/assets/index.d8d0e1f2.js", "/assets/vendor-Dk3Jq9aZ.js", "/assets/logo-BX7dJ2pQ.svg",
    "/assets/index-C2a_x9Kd.js", "/assets/index-D7-x9Kb2.js", "/assets/Home-a1B2c3D4.js",
    "/assets/inter-latin-400-normal-C38fXH4l.woff2",
    "/assets/_plugin-vue_export-helper-DlA4uN2c.js",
    "/_app/immutable/entry/start.b2f7c9e1.js", "/_app/immutable/chunks/index-9e8d7c6b.js",
    "/_app/immutable/nodes/0.5e4d3c2b.js", "/_astro/hoisted.8d9e7f6a.js",
    "/_astro/index.3b4c5d6e.css",
    // parcel and esbuild: eight of hexadecimal, eight of base32.
    "/index.e31bb0bc.js", "/index.2f8d4a6c.css", "/app-5Q3BQ7XH.js", "/chunk-4XV7H2NJ.js",
    "/main-2GZ7KQ4M.css", "/chunk-A7D3R5TN.mjs", "/styles-5INURTSO6E2F4K3P.css",
    // rails: name-64 hexadecimal digits.
    "/assets/application-\(sha256).css", "/assets/application-\(sha256).js",
    "/assets/logo-\(sha256).png", "/packs/js/application-1f2e3d4c5b6a79880716.js",
    "/assets/turbo.min-\(sha256).js", "/assets/controllers/hello_controller-1a2b3c4d5e6f.js",
    "/assets/application-0e6b8e8c5c5f0d0f7e5c7b1d9b2a3c4d.css",
    "/assets/es-module-shims.min-\(sha256).js",
    // django: name.12 hexadecimal digits.ext.
    "/static/css/base.27e20196a850.css", "/static/admin/js/core.cf103cd04ebf.js",
    "/static/img/icon-yes.d2f9f035226a.svg", "/static/js/app.c0ffee123456.js",
    "/static/css/responsive.f6533dab034d.css", "/static/fonts/roboto.8d1b2a7c9e0f.woff2",
    // next, nuxt, gatsby, angular, ember, phoenix, laravel, hugo, jekyll, expo.
    "/_next/static/chunks/main-a9b8c7d6e5f40312.js",
    "/_next/static/css/7a1b2c3d4e5f6071.css.x/a-7f3e2d1c.css",
    "/_next/static/chunks/pages/_app-0d1e2f3a4b5c6d7e.js",
    "/_next/static/chunks/webpack-8fa1640cc84ba8fe.js",
    "/_next/static/chunks/framework-2c79e2a64abdb08b.js", "/_next/static/media/logo.b5f1c4e2.png",
    "/_next/static/chunks/3f8a2b1c-9d0e1f2a3b4c5d6e.js", "/_nuxt/entry.7c8d9e0f.js",
    "/component---src-pages-index-js-4f2a6b8c0d1e3f5a7b9c.js", "/app-7d9e1f3a5b7c9d0e2f4a.js",
    "/main.5b6d2c8f3a1e4079.js", "/polyfills.c8e7db9850a3ad8b.js", "/styles.ef46db3751d8e999.css",
    "/main-7QK3X2ZP.js", "/assets/vendor-d41d8cd98f00b204e9800998ecf8427e.js",
    "/assets/my-app-5c2f1e0d9b8a7c6d5e4f3a2b1c0d9e8f.css", "/assets/app-3f1a9c2e7b5d4f60.css",
    "/js/app.4ed993c7e2d3.js", "/css/style.min.4f3c2b1a0d9e8f7c6b5a49382716.css",
    "/css/main.min.\(sha256).css", "/bundle-6f5902ac237024bdd0c176cb93063dc4.js",
    "/AppEntry-3e4f1b6b1f0c4d2a9b8c7d6e5f4a3b2c.js",
    "/dist/player.5d41402abc4b2a76b9719d911017c592.wasm",
    // Pictures, fonts and films under a build tool's name.
    "/fonts/inter-3f2a9c1b.woff", "/fonts/icons.9b8a7c6d.ttf", "/img/hero-1a2b3c4d5e.avif",
    "/img/hero.0f1e2d3c.webp", "/media/intro.4d5e6f70.mp4", "/favicon.8f2e4a6c.ico",
    "/img/card.A1B2C3D4.gif", "/img/photo-d41d8cd98f00b204e9800998ecf8427e.jpg",
    "/sounds/ping-7c6b5a49.mp3", "/img/bg_2x.3c4d5e6f.jpeg", "/lib/worker-5e6f7a8b.cjs",
    "/fonts/fa-solid-900.a1b2c3d4.eot", "/MAIN.3F2A9C1B.CSS", "/assets/APP-ABC123.JS",
  ]

  static let plain: [String] = [
    // No hash at all.
    "/", "", "/index.html", "/app.js", "/style.css", "/css/main.min.css", "/js/vendor.bundle.js",
    "/favicon.ico", "/robots.txt", "/logo.svg", "/bootstrap.bundle.min.js", "/polyfill.js",
    "/service-worker.js", "/sw.js", "/manifest.json", "/a.b.c.js", "/jquery.js", "/.js", "/-.js",
    "/.",
    // Versions.
    "/jquery-3.7.1.min.js", "/jquery-3.7.1.js", "/bootstrap-5.3.2.css", "/lodash-4.17.21.min.js",
    "/react.18.2.0.js", "/vue-v3.4.21.js", "/app-v2.js", "/app-v20.js", "/app.v1234567.js",
    "/moment-2.30.1-beta2.js", "/three.r158.js", "/d3.v7.min.js", "/swagger-ui-4.15.5.css",
    "/lib-1.0.0-rc1.js", "/app-10203040.js", "/build.20240115.js", "/release-1a.js",
    "/plugin-2b3.js",
    "/angular-1.8.3.min.js", "/font-awesome-4.7.0.css", "/tinymce-6.8.2.min.js", "/app-beta12.js",
    "/img-Big_Cat2.jpg", "/img-Top5_Win.png",
    // Dates and years.
    "/photo-20240101.jpg", "/photo-2024-01-01.jpg", "/img-20231224-183000.jpg", "/report-2024.png",
    "/scan_20240101.png", "/photo-20240101T120000.jpg", "/photo-20240101T120000Z.jpg",
    "/feb2024.png", "/banner-feb2024.png", "/banner-dec2023.jpg", "/banner-2024dec.jpg",
    "/sale-2024feb.css",
    "/backup-1699999999.js", "/shot-1699999999123.png", "/img-20240101a.jpg", "/news-01jan2024.jpg",
    // Sizes and counts.
    "/icon-128x128.png", "/icon-16x16.png", "/apple-touch-icon-180x180.png", "/hero-1920x1080.jpg",
    "/hero-1920x1080.webp", "/thumb-300x200.jpeg", "/bg-3840x2160.png", "/logo@2x.png",
    "/icon-512.png",
    "/banner-728x90.gif", "/photo-0001.jpg", "/IMG-1234567.jpg", "/DSC-00012345.jpg",
    "/img-12345678.png",
    "/page-1234567890.css", "/photo-1024w.jpg", "/video-1080p.mp4", "/video-720p60.mp4",
    "/intro-4k.mp4",
    // Colours and numbered pictures.
    "/color-ff0000.png", "/swatch-33ccff.css", "/flight-ba2490.jpg", "/house-b12345.jpg",
    // Words with and without numbers.
    "/face2face.png", "/img-face2face.png", "/banner-facade.png", "/img-decade.png",
    "/app-defaced.css",
    "/iPhone15.png", "/img-iPhone15.png", "/apple-iPhone15Pro.png", "/poster-es2015.js",
    "/app-es2015.js",
    "/polyfills-es5.js", "/crypto-sha256.js", "/lib.sha256.js", "/hash-md5.js", "/lib-base64.js",
    "/jquery.slim.js", "/bundle-analyzer.js", "/component-Settings.js", "/page-HomePage.css",
    "/img-background.png", "/font-OpenSans.woff2", "/icon-download.svg", "/lib-utf8.js",
    "/app-win32.js",
    "/lib-x86.js", "/app-x8664.js", "/theme-dark.css", "/chunk-vendors.js", "/main-legacy.js",
    "/product-catalog2.png", "/room-101.jpg", "/level-up2you.png", "/sprite-h264.mp4",
    "/clip-mp4v2.mp4",
    "/font-Roboto400.woff2", "/font-latin500.woff", "/team-Player1.png", "/guide-Windows11.png",
    "/photo-MacBook2023.jpg", "/card-Galaxy24.webp", "/cover-Vol02.jpg", "/track-Take5.mp3",
    "/bg-0000000.png", "/color-ffffff.png", "/color-c0ffee.png", "/swatch-aabbcc.png",
    "/badge-deadbeef.svg",
    // Identifiers of people's things.
    "/users/abc123.png", "/avatars/3f2a9c1b.png", "/d41d8cd98f00b204e9800998ecf8427e.jpg",
    "/media/BfX2bXyz.jpg", "/img/550e8400-e29b-41d4-a716-446655440000.png",
    "/photo-550e8400-e29b-41d4-a716-446655440000.jpg",
    "/f-123e4567-e89b-12d3-a456-426614174000.webp",
    "/u-6BA7B810-9DAD-11D1-80B4-00C04FD430C8.png",
    // Files that no build tool names by hash.
    "/report-3f2a9c1b.pdf", "/data-3f2a9c1b.json", "/page-3f2a9c1b.html", "/feed-3f2a9c1b.xml",
    "/app-3f2a9c1b", "/app-3f2a9c1b/", "/app-3f2a9c1b.js/x", "/api/order-abc123",
    "/dump-3f2a9c1b.zip",
    "/notes-abc123.txt", "/cal-abc123.ics", "/app-3f2a9c1b.php", "/app-3f2a9c1b.js.gz",
    "/x-abc123.csv",
  ]
}
