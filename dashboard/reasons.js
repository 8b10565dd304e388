// docs/reasons.md for the page: reason → kind, when, what to do. A test compares the two.
export const reasons = {
  method: {
    kind: 'meaning',
    when: 'not GET or HEAD: writes, deletes, OPTIONS, unknown methods',
    todo: 'nothing',
  },
  path: {
    kind: 'meaning',
    when: 'the path names no needle (/status, /ui/index.html, malformed fids, paths that the server redirects)',
    todo: 'nothing',
  },
  query: {
    kind: 'meaning',
    when: 'a query whose effect on the volume server the proxy cannot determine (two spellings of one response-* parameter, letters beyond ASCII in a name, over 1000 parameters)',
    todo: 'nothing',
  },
  headers: {
    kind: 'meaning',
    when: 'a header that changes the answer in a way that the proxy does not reproduce, or that is malformed, repeated or unexpected; more than 32 ranges. Expect: 100-continue, an offer of HTTP/2 (Upgrade: h2c) and Proxy-Connection: keep-alive do not change a read: the proxy answers such reads',
    todo: 'nothing',
  },
  body: {
    kind: 'meaning',
    when: 'a read with a body',
    todo: 'nothing',
  },
  image: {
    kind: 'meaning',
    when: 'a request to resize or crop an image',
    todo: 'nothing',
  },
  manifest: {
    kind: 'meaning',
    when: 'the needle is a chunk manifest: its chunks lie on several servers',
    todo: 'read large files through the filer',
  },
  'not-found': {
    kind: 'meaning',
    when: 'no such needle in the volume',
    todo: "nothing: the 404 is the volume server's",
  },
  deleted: {
    kind: 'meaning',
    when: 'the needle was deleted; with readDeleted=true, which filers, S3 gateways and mounts send, the volume server may still answer the old bytes',
    todo: 'nothing',
  },
  cookie: {
    kind: 'meaning',
    when: "the cookie in the URL is not the needle's, or the needle is empty",
    todo: 'nothing',
  },
  ttl: {
    kind: 'meaning',
    when: "the needle has expired, or expires within two seconds: the volume server's clock decides",
    todo: 'nothing',
  },
  corrupt: {
    kind: 'meaning',
    when: 'checksum, sizes or fields of the record are wrong; with on_corrupt = "refuse" a 502',
    todo: 'run seaweed-rdma volume verify, restore the replica',
  },
  'too-large': {
    kind: 'meaning',
    when: 'the needle is larger than limits.needle_bytes, or inflates to more than limits.decoded_bytes',
    todo: 'raise the limit and memory.size if such needles are frequent',
  },
  'unsupported-volume': {
    kind: 'meaning',
    when: 'erasure coded, tiered, an unknown superblock, another offset width, a torn index',
    todo: 'nothing',
  },
  'unknown-volume': {
    kind: 'meaning',
    when: "the target beside the volume's server is up and does not announce the volume: it was created a moment ago, is erasure coded, or the target misses it; or, with several volume servers, no server is known to have it, and the first one answers",
    todo: "if it lasts: read the check volumes of /health, on the proxy and on the target; check target.dirs on the volume's server, and that one of the servers lists the volume in /status",
  },
  'volume-unconfirmed': {
    kind: 'meaning',
    when: 'the volume server has not confirmed the volume within two intervals, or it is still being loaded',
    todo: 'check volume_server_url of the target; see its /health',
  },
  auth: {
    kind: 'meaning',
    when: 'the read token is absent, or the proxy cannot verify it: the volume server answers',
    todo: "check the clients' tokens, and security_toml",
  },
  'auth-unknown': {
    kind: 'meaning',
    when: 'no read key is configured, and the volume server wants tokens, or has not been asked yet',
    todo: 'configure seaweedfs.security_toml',
  },
  'learn-server': {
    kind: 'meaning',
    when: "the volume server's Server value is not known yet",
    todo: 'nothing: the proxy knows it after the first answered probe',
  },
  'learn-type': {
    kind: 'meaning',
    when: "the Content-Type that the server's host gives to this extension is not known yet; the proxy learns it from this answer",
    todo: 'nothing: this happens once for each extension, and again when facts expire after ten minutes',
  },
  'unsupported-server': {
    kind: 'meaning',
    when: "the volume server is SeaweedFS's in Rust, and SeaweedFS's own clients do not send such a read (a query, a HEAD, a condition, several ranges, a cookie, HTTP/1.0, a needle with headers of its own), or the server limits its downloads: the proxy does not reproduce these answers",
    todo: 'nothing: the volume server answers these requests',
  },
  'no-slab': {
    kind: 'trouble',
    when: 'the arena of the proxy has no room for the needle at the moment, or that of the target had none for rdma.buffer_wait',
    todo: 'raise memory.size, or rdma.buffer_size of the target; look for slow clients',
  },
  'slow-reader': {
    kind: 'trouble',
    when: 'clients that read slowly hold too much of the arena',
    todo: 'adjust limits.connection_bytes, limits.bytes_in_flight',
  },
  deadline: {
    kind: 'trouble',
    when: 'the target did not answer within rdma.timeout, or the needle was overwritten faster than it could be read',
    todo: "look at the target's load and disks",
  },
  hedged: {
    kind: 'trouble',
    when: 'with rdma.hedge: the read waited long for its target, so the volume server was asked as well, and its answer came first',
    todo: "nothing, up to one in a hundred; above, look at the target's load and disks",
  },
  'target-down': {
    kind: 'trouble',
    when: 'no session with the target: connecting, refused, lost',
    todo: "read /health: it has the transport's own error",
  },
  breaker: {
    kind: 'trouble',
    when: 'the target failed several times in a row, and single requests probe it; or it gave no sign of life after a read ran into its deadline, or was late with rdma.hedge, and pings probe it',
    todo: 'see target-down and deadline',
  },
  'upstream-down': {
    kind: 'trouble',
    when: 'the volume server does not answer the probe, so that the proxy can serve none of its needles; or a request was forwarded and the server could not be reached or did not answer in time',
    todo: 'bring the volume server back; the error names the address that was tried',
  },
  off: {
    kind: 'meaning',
    when: 'mode = "off", or no target runs beside this volume server',
    todo: 'nothing',
  },
  overload: {
    kind: 'trouble',
    when: 'a bound on requests, bytes in flight or bytes being decoded is reached, on the proxy or on the target',
    todo: 'raise the bound in [limits]; add targets or proxies',
  },
  raw: {
    kind: 'meaning',
    when: 'the connection carries a request that the proxy cannot reproduce byte for byte (bare line feeds, folded headers, absolute targets, offers of another protocol than HTTP/2, heads over limits.head_bytes; HTTP/1.0 with chunks or with two options for the connection): it is piped unread to its end, and counted once per connection',
    todo: "find the client by the log's line; [docs/in-front.md](in-front.md) has settings for nginx and Envoy",
  },
};
