// Names asked for over the network and looked for in /etc/hosts, without a thread that waits: c-ares on a reactor.
//
// Unsafe memory: c-ares is called and calls back by pointers. Invariants:
// - a question is retained once when it is given to c-ares, and taken over once by its callback, which c-ares calls
//   exactly once for each question, at the latest within `ares_destroy`;
// - c-ares knows the channel by a pointer that does not retain it: whoever has a channel calls `destroy`, after
//   which c-ares calls nothing more, and a channel that was not destroyed traps at its end;
// - the table of functions for sockets is allocated with the channel and freed after `ares_destroy`;
// - what c-ares passes to a callback is read within the callback, and lists of addresses are freed there.
// All of this happens on the thread of the reactor, and nothing of ours runs within a callback of c-ares: answers
// are kept until its call has returned, so that a channel can be destroyed by whoever gets one.

import CAres
import EdgeSocket
import Glibc

/// The name servers that are asked, and how.
struct DNSSettings: Sendable, Equatable {
  /// The name servers as c-ares reads them, `ADDRESS:PORT` with commas; nil for those of the system.
  var servers: String?
  /// The file that says which these are.
  var resolvConf = "/etc/resolv.conf"
  /// How long a name server has for its first answer, in milliseconds; twice as long the next time.
  var timeout: CInt = 700
  /// How often each name server is asked.
  var tries: CInt = 3
}

/// A channel of c-ares could not be made: why.
struct DNSChannelProblem: Error {
  let problem: LookupProblem
}

/// Questions to name servers, confined to the thread of a reactor.
final class DNSChannel {
  typealias Completion = (FamilyAnswer) -> Void

  private let reactor: Reactor
  private var channel: ares_channel?
  /// Another one that looks into files alone.
  private var files: ares_channel?
  private let functions = UnsafeMutablePointer<ares_socket_functions>.allocate(capacity: 1)
  private var sockets: [CInt: DNSSocket] = [:]
  private var timer: TimerID?
  private var completed: [(Completion, FamilyAnswer)] = []
  private var depth = 0
  private var isDestroyed = false
  /// What this machine lacked when a socket was wanted the last time, an `errno`.
  private var lack: CInt?
  /// Questions that have no answer yet.
  private(set) var pending = 0
  /// The domains that are put behind names.
  private(set) var search = SearchList()

  /// A channel as the settings and the system's files say at present.
  init(_ settings: DNSSettings, reactor: Reactor) throws(DNSChannelProblem) {
    self.reactor = reactor
    functions.initialize(to: Self.socketFunctions)
    // Counted, and undone by `destroy`; does nothing on Linux.
    let status = ares_library_init(CInt(ARES_LIB_INIT_ALL))
    do throws(DNSChannelProblem) {
      try Self.check(status)
      try Self.probe(settings.resolvConf)
      channel = try open(settings, lookups: "b")
      try Self.probe(settings.resolvConf)
      files = try open(settings, lookups: "f")
      if let servers = settings.servers {
        try Self.check(ares_set_servers_ports_csv(channel, servers))
      }
      ares_set_socket_functions(channel, functions, Unmanaged.passUnretained(self).toOpaque())
      search = readSearch()
    } catch {
      destroy()
      throw error
    }
  }

  deinit { precondition(isDestroyed, "a channel that was not destroyed") }

  /// Ends all questions, which are answered before this returns, and closes all sockets.
  func destroy() {
    enter { _ in
      if let channel { ares_destroy(channel) }
      if let files { ares_destroy(files) }
      if !isDestroyed {
        functions.deinitialize(count: 1)
        functions.deallocate()
        ares_library_cleanup()
      }
      (channel, files, isDestroyed) = (nil, nil, true)
    }
    for socket in sockets.values { socket.close() }
    sockets = [:]
  }

  // MARK: Questions

  /// The addresses that /etc/hosts has for a name; empty if it has none. Reads the file.
  func hosts(_ name: String) throws(DNSChannelProblem) -> [InternetAddress] {
    try Self.probe("/etc/hosts")
    guard let files else { return [] }
    var answer: FamilyAnswer?
    pending += 1
    ask(files, name, AF_UNSPEC) { answer = $0 }
    guard case .addresses(let addresses, _) = answer else { return [] }
    return addresses
  }

  /// Asks name servers for the addresses of one family of a name that is whole. `completion` may be called before
  /// this returns.
  func query(_ name: String, _ family: AddressFamily, completion: @escaping Completion) {
    guard let channel else { return completion(.problem(.server("no name server is asked"))) }
    pending += 1
    enter { _ in ask(channel, name, family == .ipv4 ? AF_INET : AF_INET6, completion) }
  }

  private func ask(
    _ channel: ares_channel, _ name: String, _ family: CInt, _ completion: @escaping Completion
  ) {
    let isFile = channel == files
    let question = Question { [self] answer in
      pending -= 1
      if isFile { return completion(answer) }
      completed.append((completion, answer))
    } lack: { [self] in
      lack
    }
    var hints = ares_addrinfo_hints(
      ai_flags: 0, ai_family: family, ai_socktype: CInt(SOCK_STREAM.rawValue), ai_protocol: 0)
    ares_getaddrinfo(
      channel, name, nil, &hints,
      { argument, status, _, result in
        guard let argument else { return }
        let question = Unmanaged<Question>.fromOpaque(argument).takeRetainedValue()
        question.ended(DNSChannel.answer(status, result, question.lack()))
        if let result { ares_freeaddrinfo(result) }
      }, Unmanaged.passRetained(question).toOpaque())
  }

  /// What the end of a question means.
  private static func answer(
    _ status: CInt, _ result: UnsafeMutablePointer<ares_addrinfo>?, _ lack: CInt?
  ) -> FamilyAnswer {
    switch status {
    case CInt(ARES_SUCCESS): return result.map { addresses($0.pointee) } ?? .none
    case CInt(ARES_ENOTFOUND), CInt(ARES_ENODATA): return .none
    case CInt(ARES_ENOMEM): return .problem(.local(ENOMEM))
    case CInt(ARES_ECONNREFUSED), CInt(ARES_ETIMEOUT):
      if let lack { return .problem(.local(lack)) }
      if status == CInt(ARES_ETIMEOUT) { return .problem(.timeout) }
      // That is also what c-ares says when each server has failed or refused.
      return .problem(.server("each is out of reach, fails or refuses"))
    default: return .problem(.server(String(cString: ares_strerror(status))))
    }
  }

  private static func addresses(_ result: ares_addrinfo) -> FamilyAnswer {
    var addresses: [InternetAddress] = []
    var seconds = CInt.max
    var node = result.nodes
    while let entry = node?.pointee {
      node = entry.ai_next
      guard let source = entry.ai_addr,
        let address = InternetAddress(copying: source, length: Int(entry.ai_addrlen))
      else { continue }
      seconds = min(seconds, entry.ai_ttl)
      if !addresses.contains(address) { addresses.append(address) }
    }
    // A chain of other names holds as long as its shortest link (RFC 2181 §5.2, §10.1).
    var name = result.cnames
    while let entry = name?.pointee {
      name = entry.next
      seconds = min(seconds, entry.ttl)
    }
    // A negative number is one past 2³¹ (RFC 2181 §8: as if it were 0).
    return addresses.isEmpty ? .none : .addresses(addresses, seconds: Int(max(0, seconds)))
  }

  // MARK: c-ares

  private static func check(_ status: CInt) throws(DNSChannelProblem) {
    if status == CInt(ARES_SUCCESS) { return }
    let isLocal = status == CInt(ARES_ENOMEM) || status == CInt(ARES_EFILE)
    throw DNSChannelProblem(
      problem: isLocal
        ? .local(status == CInt(ARES_ENOMEM) ? ENOMEM : EMFILE)
        : .server(String(cString: ares_strerror(status))))
  }

  /// Makes sure that a file can be opened, if it is there: c-ares takes one that cannot be for an empty one, and would
  /// ask other name servers, or none about what is in it.
  private static func probe(_ path: String) throws(DNSChannelProblem) {
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
    if descriptor >= 0 {
      close(descriptor)
    } else if ConnectProblem.isLocal(errno) {
      throw DNSChannelProblem(problem: .local(errno))
    }
  }

  private func open(
    _ settings: DNSSettings, lookups: String
  ) throws(DNSChannelProblem) -> ares_channel? {
    var options = ares_options()
    options.flags = CInt(ARES_FLAG_NOSEARCH)
    options.timeout = settings.timeout
    options.tries = settings.tries
    options.sock_state_cb_data = Unmanaged.passUnretained(self).toOpaque()
    options.sock_state_cb = { data, descriptor, reads, writes in
      guard let data else { return }
      Unmanaged<DNSChannel>.fromOpaque(data).takeUnretainedValue()
        .watch(descriptor, reads: reads != 0, writes: writes != 0)
    }
    var mask = CInt(
      ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS
        | ARES_OPT_SOCK_STATE_CB | ARES_OPT_RESOLVCONF)
    cares_keep_no_answers(&options, &mask)
    var opened: ares_channel?
    // c-ares copies both texts.
    var kinds = Array(lookups.utf8CString)
    var path = Array(settings.resolvConf.utf8CString)
    let status = kinds.withUnsafeMutableBufferPointer { kinds in
      path.withUnsafeMutableBufferPointer { path in
        options.lookups = kinds.baseAddress
        options.resolvconf_path = path.baseAddress
        return ares_init_options(&opened, &options, mask)
      }
    }
    try Self.check(status)
    return opened
  }

  private func readSearch() -> SearchList {
    var options = ares_options()
    var mask: CInt = 0
    guard ares_save_options(channel, &options, &mask) == CInt(ARES_SUCCESS) else {
      return SearchList()
    }
    defer { ares_destroy_options(&options) }
    var domains: [String] = []
    if let list = options.domains {
      for index in 0..<Int(options.ndomains) {
        if let domain = list[index] { domains.append(String(cString: domain)) }
      }
    }
    return SearchList(domains: domains, dots: Int(options.ndots))
  }

  /// Calls c-ares, then sets the timer anew and tells the answers that have come.
  private func enter(_ body: (ares_channel?) -> Void) {
    depth += 1
    body(channel)
    depth -= 1
    guard depth == 0 else { return }
    setTimer()
    while !completed.isEmpty {
      let (completion, answer) = completed.removeFirst()
      completion(answer)
    }
  }

  private func setTimer() {
    if let timer { reactor.cancel(timer) }
    timer = nil
    guard let channel else { return }
    var time = timeval()
    guard ares_timeout(channel, nil, &time) != nil else { return }
    let wait = Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_usec) * 1000
    // The clock of timers is behind by a few milliseconds, and c-ares looks at the exact one.
    timer = reactor.schedule(after: wait + 5_000_000) { [weak self] in
      self?.process(reads: -1, writes: -1)
    }
  }

  /// Lets c-ares do what can be done.
  fileprivate func process(reads: CInt, writes: CInt) {
    enter { channel in if let channel { ares_process_fd(channel, reads, writes) } }
  }

  // MARK: Sockets of c-ares

  private func watch(_ descriptor: CInt, reads: Bool, writes: Bool) {
    guard let socket = sockets[descriptor], reads || writes else { return }
    var interest: Interest = []
    if reads { interest.insert(.reading) }
    if writes { interest.insert(.writing) }
    socket.watch(interest)
  }

  private func socket(_ domain: CInt, _ type: CInt, _ kind: CInt) -> CInt {
    let flags = CInt(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let descriptor = Glibc.socket(domain, type | flags, kind)
    noteLack(descriptor)
    if descriptor >= 0 {
      sockets[descriptor] = DNSSocket(descriptor, reactor: reactor, channel: self)
    }
    return descriptor
  }

  private func noteLack(_ result: CInt) {
    let code = errno
    if result >= 0 || code == EINPROGRESS {
      lack = nil
    } else if code != EADDRNOTAVAIL, ConnectProblem.isLocal(code) {
      lack = code
    }
    errno = code
  }

  private func closeSocket(_ descriptor: CInt) -> CInt {
    sockets.removeValue(forKey: descriptor)?.close()
    return 0
  }

  private static func of(_ pointer: UnsafeMutableRawPointer?) -> DNSChannel? {
    pointer.map { Unmanaged<DNSChannel>.fromOpaque($0).takeUnretainedValue() }
  }

  private static let socketFunctions = ares_socket_functions(
    asocket: { domain, type, kind, data in of(data)?.socket(domain, type, kind) ?? -1 },
    aclose: { descriptor, data in of(data)?.closeSocket(descriptor) ?? 0 },
    aconnect: { descriptor, address, length, data in
      let result = connect(descriptor, address, length)
      of(data)?.noteLack(result)
      return result
    },
    arecvfrom: { descriptor, bytes, count, flags, address, length, _ in
      recvfrom(descriptor, bytes, count, flags, address, length)
    },
    asendv: { descriptor, pieces, count, _ in
      var message = msghdr()
      message.msg_iov = UnsafeMutablePointer(mutating: pieces)
      message.msg_iovlen = Int(count)
      return sendmsg(descriptor, &message, CInt(MSG_NOSIGNAL))
    })
}

/// A question that c-ares has.
private final class Question {
  let ended: (FamilyAnswer) -> Void
  let lack: () -> CInt?

  init(_ ended: @escaping (FamilyAnswer) -> Void, lack: @escaping () -> CInt?) {
    (self.ended, self.lack) = (ended, lack)
  }
}

/// A socket of c-ares.
private final class DNSSocket: PolledSocket {
  private weak var channel: DNSChannel?

  init(_ descriptor: CInt, reactor: Reactor, channel: DNSChannel) {
    self.channel = channel
    super.init(descriptor, reactor: reactor)
  }

  override func ready(_ readiness: Readiness) {
    let own = descriptor
    channel?.process(
      reads: readiness.isReadable ? own : -1, writes: readiness.isWritable ? own : -1)
  }
}
