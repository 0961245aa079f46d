import NIOCore

// The words of the machine: what happens to a request, and what is to be done for it.

extension Transaction {
  /// What happens to a request.
  public enum Event {
    /// Look in the store and go on from there.
    case start
    /// Go on from what was found in the store already.
    case begin(FirstLook)
    /// What ``Action/listen`` asks for was done.
    case listening
    /// The tier below memory has answered: the stored response that the request selects, if any.
    case consulted(StoredResponse?)
    /// The flight that is followed or read has news.
    case flightNews
    case upstreamInterim(ResponseHead)
    case upstreamHead(ResponseHead)
    case upstreamContent(ByteBuffer)
    case upstreamEnd(FieldSection?)
    /// The upstream changed the protocol (RFC 9110 §15.2.2); what follows is not HTTP.
    case upstreamUpgraded(ResponseHead)
    case upstreamFailed(UpstreamFailure, mayRetry: Bool)
    /// The response takes longer than it is worth waiting for who may not share it.
    case upstreamSlow
    /// Content comes too slowly to be stored.
    case upstreamTrickles
    /// The response takes longer than others should wait for it.
    case upstreamOverdue
    /// About a second has passed since the last time.
    case time
    /// Others need the connection, and those who read the response are slow.
    case endedForOthers
    /// The client closed its connection or gave up the request.
    case clientGone
  }

  /// Why a request does not wait for the response to another one any longer.
  public enum Impatience: Sendable {
    /// Nothing says that it may share it.
    case collapse
    /// It is overdue.
    case overdue
  }

  /// What is to be done for a request. Heads are held by reference: actions are moved often.
  public enum Action {
    /// Ask the tier below memory.
    case consult
    /// Say whom a flight wakes (``Transaction/listen(wake:resume:)``), and that this is done: ``Event/listening``. What
    /// passes the store by has no flight to hear from, and is spared that.
    case listen
    /// Send the request upstream.
    case forward(Forward)
    /// Let go of the upstream.
    case cancelUpstream
    /// Stop reading from the upstream until the flight calls its `resume`.
    case holdUpstream
    /// Count a response that came into the store, or why one that was on its way did not.
    case countStored(StorageRefusal?)
    /// Count a request that does not wait for the response to another one any longer.
    case countImpatience(Impatience)
    /// Send an interim response.
    indirect case sendInterim(ResponseHead)
    /// Send this stored response, in part or whole; nothing follows.
    indirect case sendStored(StoredResponse, CacheStatus)
    /// Send the head of a flight; content follows. With `whole` false it is 304 and nothing does.
    indirect case sendFlightHead(FlightHead, CacheStatus, whole: Bool)
    /// Send the upstream's own head; content follows.
    indirect case sendUpstreamHead(ResponseHead, CacheStatus)
    case sendContent(ByteBuffer)
    /// The response is complete.
    case sendEnd
    /// The response is complete, with these trailer fields.
    indirect case sendTrailers(FieldSection)
    /// Send this head, and from then on carry bytes both ways.
    indirect case tunnel(ResponseHead, CacheStatus)
    /// Send an answer of our own; nothing follows.
    indirect case sendError(status: Int, CacheStatus)
    /// The client reads more slowly than others can wait: close its connection so that it sees it.
    case leaveClientBehind
    /// The response cannot be completed: close the connection so that the client sees it.
    case abortClient
  }
}
