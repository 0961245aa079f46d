import EdgeCache
import NIOCore

/// Stores many small responses and says what each of them costs.
enum StoredRun {
  static func run(count: Int) {
    let now = Instant(seconds: 1_700_000_000)
    let store = Store(limits: StoreLimits(memory: 8 << 30), secret: HashSecret(1, 2))
    var buffers = ReceiveBuffers()
    func put(_ number: Int) {
      let path = "/assets/pages/2023/section-\(number % 97)/item-\(1_000_000 + number).html"
      let transfer = Transfer(path: path, length: 1024, store: store, now: now)
      while !transfer.isOver { transfer.step(now, &buffers) }
    }
    put(-1)
    let before = ProcessMemory.now()
    for number in 0..<count { put(number) }
    let after = ProcessMemory.now()
    let each = Double(count)
    let payload = payload(of: store, now: now)
    let counted = Double(store.statistics.bytes) / each
    let resident = Double(after.resident - before.resident) / each
    let allocated = Double(after.allocated - before.allocated) / each
    print("responses               \(store.statistics.responses)")
    print("key + head + content    \(payload) bytes each")
    print("counted in the budget   \(decimal(counted, 0))")
    if after.allocated > 0 { print("allocated               \(decimal(allocated, 0))") }
    print("resident                \(decimal(resident, 0))")
    print("overhead                \(decimal(resident - Double(payload), 0)) resident - payload")
    print("resident / counted      \(decimal(resident / counted, 3))")
    print("page faults each        \(decimal(Double(after.faults - before.faults) / each, 2))")
    print("CPU each                \(decimal((after.cpu - before.cpu) / each * 1e6, 2)) µs")
  }

  private static func payload(of store: Store, now: Instant) -> Int {
    let url = "http://www.example.com/assets/pages/2023/section-3/item-1000003.html"
    guard let key = CacheKey(url: url.utf8, secret: store.secret),
      let response = store.variants(of: key).first
    else { return 0 }
    return key.bytes.count + response.head.count + response.content.count
  }
}
