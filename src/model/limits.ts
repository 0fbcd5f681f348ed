/** Every limit of the store, in one place. Bytes, counts and milliseconds; the name ends in the unit. */
const KiB = 1024;
const MiB = 1024 * KiB;

export const LIMITS = {
  // RESP (Redis' own limits, where it has them)
  inlineBytesMax: 64 * KiB,
  multibulkCountMax: 1024 * 1024,
  bulkBytesMax: 512 * MiB,
  /** One command's arguments together. */
  requestBytesMax: 1024 * MiB,

  // Keys, values, records, batches
  keyBytesMax: 64 * KiB - 1,
  /** Default of the largest value; a setting may raise it up to bulkBytesMax. */
  valueBytesMaxDefault: 64 * MiB,
  /** A value above this travels in a batch of its own. */
  largeValueBytes: 64 * KiB,
  /** An open batch is sealed when it grows past this. */
  batchBytesTarget: 1 * MiB,
  /** No batch on disk may claim to be larger; checked before anything is allocated for it. */
  batchBytesMax: 768 * MiB,
  /** What one command may append as one atomic group. */
  atomicGroupBytesMax: 512 * MiB,
  recordExtrasCountMax: 16,
  recordExtraBytesMax: 64 * KiB,
  databasesMax: 1,
  /** KEYS and SCAN MATCH: matching costs at most pattern bytes times key bytes. */
  patternBytesMax: 4 * KiB,

  // Storage
  segmentBytesMin: 4 * KiB,
  segmentBytesMax: 1024 * MiB,
  segmentBytesMaxDefault: 128 * MiB,
  cacheBytesMaxDefault: 256 * MiB,
  blockBytes: 16 * KiB,
  /**
   * Blocks that were just loaded for somebody stay in memory up to so many bytes, for each partition, however small the
   * cache.
   */
  recentBlocksBytesMax: 1 * MiB,
  /** Zeros are laid this far ahead of the tail, so that a flush changes no metadata. */
  preallocationBytes: 4 * MiB,
  /** Above this many bytes appended but not yet on disk, connections wait. */
  unflushedBytesMax: 64 * MiB,
  concurrentSyncsMax: 8,
  /** One of the journal's two files; when it is full, every log that it speaks of is synced. */
  journalLapBytes: 8 * MiB,
  /** Of a file that a start reads as the journal's. */
  journalFileBytesMax: 64 * MiB,
  /** Batches above the committed offset are kept in memory up to this; those beyond it are read back when they are committed. */
  pendingBytesMax: 64 * MiB,
  /** What is decoded and committed in one turn of the event loop; more goes in slices. */
  commitBytesPerTurnMax: 1 * MiB,
  /** META, MANIFEST, EPOCHS, NODE. */
  documentBytesMax: 64 * MiB,
  /** Batches are read in chunks of this size when a segment is scanned. */
  scanChunkBytes: 1 * MiB,
  hintBlockBytes: 256 * KiB,
  hintBlockBytesMax: 1 * MiB,
  /** Segments of one partition; the keydir names a segment with 16 bits. */
  segmentsMax: 60_000,

  // Producers (R14), per partition
  producerIdBytesMax: 64,
  /** A longer outcome is not kept: a retry learns only that the command was done. */
  producerOutcomeBytesMax: 1 * KiB,
  /** Sequences of one producer that are remembered: its newest, and those less than this below it. */
  producerWindow: 1024,
  /** Outcomes of one producer together; the oldest lose their bytes first. */
  producerOutcomesBytesMax: 64 * KiB,
  /** Producers with an id of their own; the one that was silent longest is forgotten. Nodes are not counted. */
  producersMax: 1024,

  // Forwarding (R23), at the node that a client speaks to
  /** Writes under way to one partition and not answered; below `producerWindow`, so that each is remembered there. */
  forwardWindow: 512,
  /** Bytes of requests under way to one partition; one request of any size may be. */
  forwardWindowBytes: 8 * MiB,
  /** Commands for one partition that wait or are under way; beyond, TRYAGAIN. */
  forwardQueueMax: 16_384,
  /** Bytes of all of them, for all partitions. */
  forwardBytesMax: 64 * MiB,
  /** A refused request is sent again after so long, if no other leader is heard of before. */
  forwardRetryMs: 20,
  /** Commands of one connection that others answer; its next command waits. */
  deferredRepliesMax: 4096,
  /** Bytes of their requests. */
  deferredBytesMax: 16 * MiB,
  /** So many bytes of replies to its reads may lie unsent or be expected at a time, by the largest of late. */
  deferredReplyBytes: 8 * MiB,
  /** A leader runs no further forwarded reads while so many bytes of replies wait to be sent to their forwarder. */
  forwardedRepliesPauseBytes: 16 * MiB,

  // Event loop
  /** Background work yields after this long. */
  sliceMsMax: 5,
  keysPerSlice: 10_000,
  /** Keys visited between two looks at the clock. */
  keysPerStep: 256,
  expiriesPerSlice: 1_000,

  // Network
  clientsMaxDefault: 10_000,
  /** A client that lets more pile up than this is closed. */
  outputBytesMax: 256 * MiB,
  /** Above this much output a client's further commands wait. */
  outputPauseBytes: 1 * MiB,
  /** A client for whom commands wait, and that read nothing for so long, is closed. */
  outputStalledMsMax: 60_000,
  /** What one connection hands to its socket at a time. */
  writeBytesMax: 1 * MiB,
  /** Then the other connections have their turn. */
  commandsPerTurnMax: 1024,
  /** How long a connection that we ended waits for the peer to end it too, so that the last reply is not lost. */
  lingerMsMax: 1000,
  clientNameBytesMax: 256,
  /** A command of a cluster client for a slot that nobody leads waits so long before it is refused. */
  leaderWaitMsMax: 500,

  // Between nodes (rpc)
  /** What is sent within one turn travels in frames of about this size; a message above it travels in fragments. */
  frameBytesMax: 1 * MiB,
  /** A frame may end with a message of its own size, and has a head. More is not read. */
  frameBytesReceivedMax: 4 * MiB,
  /** A fetch reply with more bytes travels apart from the others. */
  tailReplyBytesMax: 256 * KiB,
  /** What waits to be sent on one stream, beyond which messages are dropped; a single one may be larger. */
  tailQueueBytesMax: 8 * MiB,
  bulkQueueBytesMax: 16 * MiB,
  controlQueueBytesMax: 8 * MiB,
  /** The forwarder, and the leader that pauses, bound what waits: no stream is to break of one large value. */
  forwardQueueBytesMax: 2048 * MiB,
  /** A message put together from fragments: one batch, or one command, and what is said about it. */
  nodeMessageBytesMax: 1025 * MiB,

  // The KeyValue service (gRPC), at one node
  /** Calls that are under way; beyond, they are refused. */
  keyValueCallsMax: 16_384,
  /** Bytes of their requests; one of any size may be under way. */
  keyValueBytesMax: 256 * MiB,
  /** A message may be larger than the largest value by so much; it holds the key, at least. */
  keyValueOverheadBytesMax: 1 * MiB,
  /** The last answer leaves so long before the deadline of its call, or a tenth of it, whichever is less. */
  keyValueMarginMs: 100,

  // Configuration
  configFileBytesMax: 1 * MiB,
} as const;
