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

  @Test(arguments: identities) func namesAThing(_ path: String) {
    #expect(!isHashed(path))
  }

  @Test(arguments: tools) func isBuilt(_ path: String) {
    #expect(isHashed(path))
  }

  /// Parcel 1 names files by the MD5 of where their source lies.
  @Test(arguments: [
    ("main.js", 0x1f19_ae8e as UInt32), ("index.js", 0xe31b_b0bc), ("src/index.js", 0xa2b2_7638),
    ("style.css", 0xe308_ff8e), ("", 0xecf8_427e),
    ("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabc", 0xefd6_58f1),
  ])
  func endOfMD5(_ message: String, _ end: UInt32) {
    #expect(MD5.end(of: Array(message.utf8)) == end)
  }

  private static let sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

  static let hashed: [String] = [
    // webpack: name.hash.ext, 8 and 20 hexadecimal digits, and chunks.
    "/main.3f2a9c1b.css", "/static/js/main.4e5b6f7a.js", "/static/css/main.a3b4c5d6.css",
    "/static/js/787.28cb0dcd.chunk.js", "/static/js/2.f9a7c3e1.chunk.js",
    "/static/media/logo.6ce24c58023cc2f8fd88fe9d219db6c6.svg", "/js/chunk-vendors.5f1c2d3e.js",
    "/js/app.0e433876.js", "/css/chunk-2d0c0c3f.8a1b2c3d.css", "/img/logo.82b9c7a5.png",
    "/runtime.c3d4e5f60718293a4b5c.js", "/vendors~main.1a2b3c4d.chunk.js",
    "/app.bundle.7d8e9f0a.js",
    "/polyfills.d41d8cd98f00b204e980.bundle.js", "/main.3f2a9c1b.min.js",
    // vite and rollup: name-hash.ext, eight of base64url.
    "/assets/index-BfX2bXyz.js", "/assets/index-4sK8E3Wb.css",
    "/assets/index.d8d0e1f2.js", "/assets/vendor-Dk3Jq9aZ.js", "/assets/logo-BX7dJ2pQ.svg",
    "/assets/index-C2a_x9Kd.js", "/assets/index-D7-x9Kb2.js", "/assets/Home-a1B2c3D4.js",
    "/assets/inter-latin-400-normal-C38fXH4l.woff2",
    "/assets/_plugin-vue_export-helper-DlA4uN2c.js",
    "/_app/immutable/entry/start.b2f7c9e1.js", "/_app/immutable/chunks/index-9e8d7c6b.js",
    "/_app/immutable/nodes/0.5e4d3c2b.js", "/_astro/hoisted.8d9e7f6a.js",
    "/_astro/index.3b4c5d6e.css",
    // parcel and esbuild: eight of hexadecimal, eight of base32.
    "/index.e31bb0bd.js", "/index.2f8d4a6c.css", "/app-5Q3BQ7XH.js", "/chunk-4XV7H2NJ.js",
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
    "/fonts/fa-solid-900.a1b2c3d4.eot", "/MAIN.3F2A9C1B.CSS", "/assets/APP-3F2A9C1B.JS",
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

  /// Names that hold what looks like a digest and tells one thing from another.
  static let identities: [String] = [
    // Object ids: 24 hexadecimal digits.
    "/img/507f1f77bcf86cd799439011.png", "/js/507f1f77bcf86cd799439011.js",
    "/doc/user-507f1f77bcf86cd799439011.json", "/assets/item.5f8d0d55b54764421b7156d9.jpg",
    "/assets/theme-5f8d0d55b54764421b7156d9.css", "/507F1F77BCF86CD799439011.webp",
    // Hardware addresses: 12.
    "/ap/00163e5a1b2c.png", "/img/device-b827eb12a4f0.jpg", "/img/001a2b3c4d5e.svg",
    "/fw/phone-0004f2a1b2c3.json", "/dev/b827eb12a4f0.js", "/font/x-b827eb12a4f0.woff2",
    // UUIDs without dashes, of versions 1, 4, 5, 6, 7 and 8.
    "/img/550e8400e29b41d4a716446655440000.png", "/a/avatar-550e8400e29b41d4a716446655440000.jpg",
    "/d/6ba7b8109dad11d180b400c04fd430c8.json", "/d/x-6ba7b8109dad11d180b400c04fd430c8.json",
    "/i/f47ac10b58cc4372a5670e02b2c3d479.webp", "/i/F47AC10B58CC4372A5670E02B2C3D479.gif",
    "/i/017f22e279b07cc398c4dc0c0c07398f.png", "/i/a-017f22e279b07cc398c4dc0c0c07398f.png",
    "/i/2ed6657de927568b95e12665a8aea6a2.svg", "/i/1ec9414c232a6b00b3c89f6bdeced846.avif",
    "/i/x-1ec9414c232a6b00b3c89f6bdeced846.avif", "/i/2489e9ad2ee28e008ec932d5f69181c0.png",
    "/v/f47ac10b58cc4372a5670e02b2c3d479.mp4", "/i/card.f47ac10b58cc4372a5670e02b2c3d479.png",
    // ULIDs and KSUIDs, 26 and 27 characters; other tokens in pictures.
    "/img/01ARZ3NDEKTSV4RRFFQ69G5FAV.jpg", "/img/photo-01ARZ3NDEKTSV4RRFFQ69G5FAV.png",
    "/d/order-01BX5ZZKBKACTAV9WEVGEMMVRZ.json", "/f/x-01arz3ndektsv4rrffq69g5fav.webp",
    "/js/plan-01ARZ3NDEKTSV4RRFFQ69G5FAV.js", "/img/0ujtsYcgvSTl8PAuAdqWYSMnLOv.png",
    "/img/photo-0ujtsYcgvSTl8PAuAdqWYSMnLOv.jpg", "/d/0ujtsYcgvSTl8PAuAdqWYSMnLOv.pdf",
    "/d/x-0ujtsYcgvSTl8PAuAdqWYSMnLOv.json", "/js/x-0ujtsYcgvSTl8PAuAdqWYSMnLOv.js",
    "/img/x-V1StGXR8_Z5jdHi6B-myT.png", "/thumb-dQw4w9WgXcQ.jpg", "/i/x-5f3a1b2c3d4e5.jpg",
    // What is uploaded, by digests of names and addresses.
    "/avatar/205e460b479e2e5b48aec07710c08d50.png", "/uploads/2024/logo-3f2a9c1b.png",
    "/users/7/card-BX7dJ2pQ.webp", "/photos/3f2a9c1b20ab4c5d6e7f.png",
    // Sizes and formats.
    "/v/clip-3840x2160p60hdr10.mp4", "/v/clip-1920x1080p30.webm", "/img/hero-3840x2160.jpg",
    "/img/bg-1920x1080@2x.png", "/v/trailer-2160p60hevc10.mp4", "/a/song-44100hz16bit.mp3",
    "/a/x-h264aac128k.mp4", "/img/pic-800x600q80.webp", "/js/x-3840x2160p60hdr10.js",
    "/data/grid-15x10x22.dat", "/v/x-1080p60f.mp4", "/img/x-640x480b.png",
    // Code points.
    "/emoji/1f468-200d-1f469-200d-1f467.png", "/emoji/1f600.svg", "/svg/1f1e6-1f1fa.svg",
    "/emoji/emoji_u1f468_200d_1f469.png", "/emoji/u-0001f600.png", "/glyph.0001f1e6.svg",
    "/emoji/1f9d1-1f3fb-200d-2764-fe0f-200d-1f9d1-1f3fc.png", "/font/glyph-0010fffd.woff2",
    // Names of classes and of what else programs are made of.
    "/js/OAuth2LoginProvider.js", "/js/auth-OAuth2LoginProvider.js", "/x.OAuth2LoginProvider.js",
    "/js/Base64Encoder2Factory.js", "/js/x-Utf8ToBase64Converter.js", "/js/a-MyHttp2Server.js",
    "/js/com.example.Http2Client.js", "/js/x-HomePage.js", "/assets/x-HomePage.js",
    "/js/x-Vector3D.js", "/js/x-Matrix4x4.js", "/js/x-Base64JS.js", "/js/x-Point2DF.js",
    "/assets/view-UserList.js", "/assets/x-Sha256Fn.js", "/assets/icon-MacBook2.svg",
    "/assets/font-OpenSans.woff2", "/assets/x-NotoSans.woff2", "/assets/x-SemiBold.ttf",
    "/org.mozilla.TreeView.svg", "/js/x-DOCUMENT.js", "/assets/a-SANTIAGO.jpg",
    "/js/x-CONSTANT.js", "/photo-IMG_1234.jpg", "/img-PXL_2024.jpg", "/report-Q3FY2024.png",
    // Fewer than eight hexadecimal digits.
    "/assets/app-abc123.js", "/app.3f2a9c1.js", "/app.3f2a.css", "/assets/app-1a2b3c4.js",
    "/assets/APP-ABC123.JS", "/vendors-node_modules_foo_index_js-3f2a9c.js",
    // Source maps: the digest is that of the script.
    "/main.3f2a9c1b.js.map", "/main.3f2a9c1b.css.map", "/assets/index-BfX2bXyz.js.map",
    "/_next/static/chunks/3f2a9c1b20ab4c5d.js.map", "/main.3f2a9c1b20ab4c5d6e7f.map",
    // Digests of paths.
    "/main.1f19ae8e.js", "/src.e31bb0bc.js", "/index.e31bb0bc.js", "/style.e308ff8e.css",
    "/app.c328ef1a.js", "/src.a2b27638.css", "/js.00a46daa.js", "/dist/main.1F19AE8E.css",
    // Numbers, dates and years.
    "/lib-20240115.js", "/build.20240115.chunk.js", "/app.10203040.js", "/v-1699999999.chunk.js",
    "/banner-feb2024a.js", "/app.facade12.js", "/static/js/build.20240115.js",
    "/img/0000000000000001.png", "/img/1234567890123456.png",
    // In the folders of build tools, what changes, and what development servers write.
    "/_nuxt/builds/latest.json", "/_nuxt/builds/meta/3f2a9c1b-1234-4abc-8def-001122334455.json",
    "/_nuxt/entry.js", "/_framework/blazor.webassembly.js", "/_framework/blazor.boot.json",
    "/_framework/dotnet.js", "/_framework/System.Linq.wasm", "/_framework/icudt_CJK.dat",
    "/_framework/mylib.components.wasm", "/_next/static/chunks/main.js", "/_app/version.json",
    "/_next/static/chunks/app/layout.js", "/_next/static/development/_buildManifest.js",
    "/_app/immutable/entry/start.js", "/_next/image.png", "/x_next/static/a-page.js",
    "/_nuxtx/logo.js", "/immutable.js", "/_next/data/3f2a9c1b20ab4c5d/page.json",
    // Documents and data, and a name that was cut off.
    "/report-3f2a9c1b20ab4c5d.json", "/data.3f2a9c1b.json", "/x.3f2a9c1b20ab4c5d6e7f.pdf",
    "/data/measure-3f2a9c1b.dat", "/-3f2a9c1b.js", "/.3f2a9c1b.js", "/assets/-BfX2bXyz.js",
  ]

  /// Names as build tools write them, a few for each.
  static let tools: [String] = [
    // SvelteKit, Astro, Nuxt 2 to 4.
    "/_app/immutable/chunks/BkQw7sZn.js", "/_app/immutable/entry/start.CqXLRt-K.js",
    "/_app/immutable/assets/0.-1AbDWfv.css", "/base/_app/immutable/nodes/2.HMB517r4.js",
    "/_astro/index.BHFKCuai.css", "/_astro/_slug_.DGXMTEON.css",
    "/_astro/photo.BfX2bXyz_Z1a2b3c.webp", "/_nuxt/D4hWKTTq.js", "/_nuxt/entry.HvAqLX_u.js",
    "/_nuxt/error-500.CWR_ZmD7.css", "/_nuxt/3f2a9c1.js", "/_nuxt/img/logo.3f2a9c1.png",
    // Next.js, by webpack and by Turbopack.
    "/_next/static/chunks/3f2a9c1b20ab4c5d.js", "/_next/static/css/7a1b2c3d4e5f6071.css",
    "/_next/static/chunks/turbopack-0a1b2c3d4e5f6071.js",
    "/_next/static/chunks/src_app_page_tsx_3f2a9c1b._.js",
    "/_next/static/chunks/0n9wz6rt3abcd.js", "/_next/static/chunks/0-rbqovz-8_h4.js",
    "/_next/static/media/e4af272ccee01ff0-s.p.woff2",
    "/_next/static/aB3dE5fG7hI9jK1lM3nO5/_buildManifest.js",
    "/docs/_next/static/chunks/99-0d1e2f3a4b5c6d7e.js",
    // Vite, Rollup and Rolldown; three in ten have no digit.
    "/assets/prompts-D1lOi2KC.js", "/assets/index-CfXkqWyz.js", "/assets/panel-CzTCkwZb.js",
    "/assets/index-BW-kQzfR.js", "/assets/arrow-left-B73d5_Ry.js", "/assets/house-CKfisMT-.js",
    "/assets/list--MJ7rvec.js", "/assets/worker-25MFFQRH.js", "/ui/static/assets/logo-DkvTqZhc.png",
    "/assets/rec-65hDpJvf.js", "/dist/plugin-Kos9ANyR.js", "/static/js/index.BQhdFMY1.js",
    // VitePress.
    "/assets/posts_first-page.md.Dk517wMH.js", "/assets/posts_first-page.md.Dk517wMH.lean.js",
    "/assets/cover.DqZ63hW8.png", "/assets/chunks/theme.y-qe0pcD.js",
    // Angular and esbuild; one in five has no digit.
    "/chunk-5KTRHWWC.js", "/browser/chunk-XKPDFKPS.js", "/styles-RRBXJF4K.css",
    "/media/inter-5Q3BQ7XH.woff2", "/media/primeicons-FKRW6TJQ.svg", "/chunk-ZQNRFTB3.js",
    // .NET.
    "/_framework/System.Linq.gby4lwj745.wasm", "/_framework/dotnet.runtime.8.0.12.k41wr7x2m5.js",
    "/_framework/icudt_CJK.vqfh3w52n8.dat", "/_framework/netstandard.ltdlgxdqpn.wasm",
    "/css/site.xk9288vxda.css",
    // webpack and Rspack, with the additions of those that use them.
    "/static/js/icon.minus.63850914.chunk.js", "/assets/js/0a6f31d8.50918264.js",
    "/main.baafb915.js", "/static/js/main.ddb52001.js", "/60482.913057264e820517.js",
    "/4bd07a93e2c815f6a04e.png", "/static/9c3e05d7b1f8264a.woff", "/p__index.3f2a9c1b.async.js",
    "/674f50d287a8c48dc19ba404d20fe713.eot", "/912ec66d7572ff821749319396470bde.svg",
    "/main.3f2a9c1b.iframe.bundle.js", "/explore.3f2a9c1b20ab4c5d6e7f.entry.js",
    "/media/logo.c5d18a0762be4f93ad40e7b19c652f38.svg", "/3f2a9c1b20ab4c5d6e7f.worker.js",
    // Gatsby, Docusaurus, MkDocs, Stencil, Qwik, Trunk, GWT, Expo, Symfony, Django, Rails.
    "/component---src-pages-blog-tsx-b7d2046ce91f8a35c0d4.js",
    "/assets/javascripts/bundle.1e8ae164.min.js",
    "/assets/images/The Board-4c7b0e92d5f8361ab7e04d9c25f8a613.webp", "/p-3f2a9c1b.entry.js",
    "/build/q-Df8tLq3x.js", "/pkg/app-3f2a9c1b20ab4c5d_bg.wasm",
    "/3F2A9C1B20AB4C5D6E7F8091A2B3C4D5.cache.js", "/assets/app-vZ6jW6a.js",
    "/_expo/static/js/web/AppEntry-3e4f1b6b1f0c4d2a9b8c7d6e5f4a3b2c.js",
    "/static/admin/img/icon-yes.d2f9f035226a.svg", "/assets/lexxy-7be0d14f.css",
    // Data, by long digests alone.
    "/translations/is-7c4e90b1d83f5a26e0b97d4c815fa362.json",
    "/mdi/e5b0d83c17f64a92b8d05e7c31fa6094d2b7e81c.json",
  ]
}
